-- pg_tviews_create says what it did. A call that changes nothing writes nothing and locks nothing against writers.
CREATE TABLE tb_user (pk_user bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post bigint PRIMARY KEY, fk_user bigint NOT NULL REFERENCES tb_user, title text NOT NULL);
INSERT INTO tb_user VALUES (1, 'Ada');
INSERT INTO tb_post VALUES (1, 1, 'first');
SET client_min_messages = notice;

SELECT pg_tviews_create('post', $$SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
SELECT pg_tviews_create('post', $$SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
-- The same query, written differently.
SELECT pg_tviews_create('post', $$select p.pk_post, title, "name"
  from tb_post as p inner join public.tb_user u on (u.pk_user = fk_user);$$);
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('post', key_columns => '{pk_post}');

BEGIN;
SELECT pg_tviews_create('post', $$SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
SELECT relation::regclass, mode FROM pg_locks
 WHERE pid = pg_backend_pid() AND relation IN ('tb_post'::regclass, 'tb_user'::regclass, 'tv_post'::regclass) AND mode <> 'AccessShareLock';
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;

-- A bound: no row depends on it.
SELECT pg_tviews_create('post', max_latency => '1 second');
SELECT pg_tviews_create('post', max_latency => '1 second');
SELECT pg_tviews_create('post');
SELECT max_latency, state FROM pg_tview_meta;

-- While it is paused, too.
SELECT pg_tviews_pause('post');
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('post', max_latency => '2 seconds');
SELECT max_latency, state FROM pg_tview_meta;
SELECT pg_tviews_resume('post');

-- Another query, key, or setting of the session; a missing trigger.
SELECT pg_tviews_create('post', $$SELECT p.pk_post, upper(p.title) AS title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
SELECT title FROM tv_post;
ALTER TABLE tv_post ADD UNIQUE (title);
SELECT pg_tviews_create('post', key_columns => '{title}');
SELECT pg_tviews_create('post', key_columns => '{pk_post}');
SET TimeZone = 'Asia/Tokyo';
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('post');
RESET TimeZone;
SELECT pg_tviews_create('post');
DROP TRIGGER pg_tviews_capture ON tb_user;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('post');
-- A table without the unique index of its key.
ALTER TABLE tv_post DROP CONSTRAINT tv_post_pkey;
SELECT pg_tviews_create('post');

-- What the view depends on has changed since.
CREATE VIEW shown AS SELECT pk_user, name FROM tb_user;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM shown');
CREATE OR REPLACE VIEW shown AS SELECT pk_user, upper(name) AS name FROM tb_user;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM shown');
SELECT name FROM tv_user;
-- The view was dropped and created again with the same text.
DROP VIEW v_user;
CREATE VIEW v_user AS SELECT pk_user, name FROM shown;
SELECT pg_tviews_create('user');
SELECT view_oid = 'v_user'::regclass AS known FROM pg_tview_meta WHERE entity_name = 'user';

RESET client_min_messages;
SELECT entity_name, operation, details->>'effect' AS effect, details->>'max_latency_seconds' AS bound
  FROM pg_tview_meta_audit WHERE details ? 'effect' AND tview_oid IN ('tv_post'::regclass, 'tv_user'::regclass) ORDER BY audit_id;

SELECT pg_tviews_drop('post'), pg_tviews_drop('user');
DROP VIEW v_user, shown;
DROP TABLE tb_post, tb_user;
