-- pg_tviews_pending names the rows that are behind, and since when.
SET client_min_messages = notice;
CREATE SCHEMA pending;
SET search_path = pending, public;

SET client_min_messages = warning;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, score int NOT NULL DEFAULT 1);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post SELECT i, 1 + i % 2, 'post ' || i FROM generate_series(1, 6) i;
SELECT pg_tviews_create('post', 'SELECT pk_post, title, name, 10 / score AS rank FROM tb_post JOIN tb_user ON pk_user = fk_user');
SELECT pg_tviews_create('pair', 'SELECT fk_user AS a, pk_post AS b, title FROM tb_post', key_columns => '{a,b}');
SELECT pg_tviews_create('total', 'SELECT 1 AS pk_total, count(*) AS n FROM tb_post');
SELECT pg_tviews_create('top', 'SELECT pk_post AS pk_top, title FROM tv_post WHERE rank > 1');
CALL pg_tviews_drain();
SET client_min_messages = notice;
SELECT * FROM pg_tviews_pending('post');
BEGIN;
UPDATE tb_post SET title = 'mine' WHERE pk_post = 1;
SELECT count(*) AS own FROM pg_tviews_pending('post');
ROLLBACK;
-- A row changed, one of its sources changed, a row to come, one to go.
UPDATE tb_post SET title = 'new title' WHERE pk_post = 1;
UPDATE tb_user SET name = 'Bea' WHERE pk_user = 2;
INSERT INTO tb_post VALUES (7, 1, 'to come');
DELETE FROM tb_post WHERE pk_post = 2;
SELECT key, key_text, pending_since <= now() AND pending_since > now() - interval '1 hour' AS since FROM pg_tviews_pending('post') ORDER BY key;
SELECT key, key_text FROM pg_tviews_pending('post', '{1,2,3,4,77}') ORDER BY key;
SELECT * FROM pg_tviews_pending('post', '{4}');
SELECT * FROM pg_tviews_pending('post', '{}');
-- Joined with the table, by each form of the key.
SELECT t.pk_post, t.title, p.key IS NOT NULL AS behind FROM tv_post t LEFT JOIN pg_tviews_pending('post') p ON p.key = jsonb_build_object('pk_post', t.pk_post) ORDER BY 1;
SELECT t.pk_post, p.key IS NOT NULL AS behind FROM tv_post t LEFT JOIN pg_tviews_pending('post') p ON p.key_text = t.pk_post::text ORDER BY 1;
SELECT key, key_text FROM pg_tviews_pending('pair') ORDER BY key;
SELECT key FROM pg_tviews_pending('pair', '{"{\"a\": 1, \"b\": 2}"}');
-- The oldest change counts.
SELECT key_text FROM pg_tviews_pending('post') GROUP BY pending_since, key_text HAVING pending_since > (SELECT min(pending_since) FROM pg_tviews_pending('post')) ORDER BY 1;
-- Any change means the whole view; and one TVIEW reads the table of another.
SELECT key_text, pending_since IS NOT NULL AS since FROM pg_tviews_pending('total');
SELECT key_text, pending_since IS NOT NULL AS since FROM pg_tviews_pending('top') ORDER BY 1;
SELECT key_text FROM pg_tviews_pending('top', '{3,77}') ORDER BY 1;
CALL pg_tviews_drain();
SELECT (SELECT count(*) FROM pg_tviews_pending('post')), (SELECT count(*) FROM pg_tviews_pending('pair')), (SELECT count(*) FROM pg_tviews_pending('total')), (SELECT count(*) FROM pg_tviews_pending('top'));
-- Requests, TRUNCATE, a replaced view.
SELECT pg_tviews_refresh('post', '{3,1000}');
SELECT key_text FROM pg_tviews_pending('post') ORDER BY 1;
SELECT pg_tviews_refresh('post');
SELECT count(*) FROM pg_tviews_pending('post');
CALL pg_tviews_drain();
CREATE OR REPLACE VIEW v_pair AS SELECT fk_user AS a, pk_post AS b, upper(title) AS title FROM tb_post;
SELECT count(*) = (SELECT count(*) FROM tv_pair) FROM pg_tviews_pending('pair');
CREATE OR REPLACE VIEW v_pair AS SELECT fk_user AS a, pk_post AS b, title FROM tb_post;
SELECT count(*) FROM pg_tviews_pending('pair');
CALL pg_tviews_drain();
-- A dead key is behind, whatever the queue says; pg_tviews_wait tells of it.
UPDATE tb_post SET score = 0 WHERE pk_post = 3;
SET client_min_messages = warning;
CALL pg_tviews_drain();
SET client_min_messages = notice;
SELECT count(*) FROM pg_tview_queue;
SELECT key, key_text, pending_since IS NOT NULL AS since FROM pg_tviews_pending('post');
SELECT pg_tviews_wait('post');
SELECT pg_tviews_wait('post', 4);
SELECT error_of($$SELECT pg_tviews_wait('post', 3)$$);
UPDATE tb_post SET score = 2 WHERE pk_post = 3;
CALL pg_tviews_drain();
SELECT pg_tviews_wait('post', 3);
SELECT count(*) FROM pg_tviews_pending('post');
-- Paused; and the first population.
SELECT pg_tviews_pause('post');
UPDATE tb_post SET title = 'while paused' WHERE pk_post = 4;
SELECT key_text FROM pg_tviews_pending('post');
SELECT error_of($$SELECT pg_tviews_wait('post', 4)$$);
SELECT pg_tviews_wait('post', 5);
SELECT pg_tviews_resume('post');
CALL pg_tviews_drain();
SET client_min_messages = warning;
INSERT INTO tb_post SELECT i, 1, 'many' FROM generate_series(100, 30000) i;
SELECT pg_tviews_create('large', 'SELECT pk_post AS pk_large, title FROM tb_post');
SET client_min_messages = notice;
SELECT state, (SELECT count(*) FROM tv_large) AS rows FROM pg_tview_meta WHERE tview_oid = 'tv_large'::regclass;
SELECT count(*) FROM pg_tviews_pending('large');
SELECT key_text, pending_since IS NOT NULL AS since FROM pg_tviews_pending('large', '{5,6}') ORDER BY 1;
SET client_min_messages = warning;
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tviews_pending('large');
-- More transactions than are told apart.
DO $$BEGIN FOR i IN 1..250 LOOP UPDATE tb_user SET name = 'user ' || i WHERE pk_user = 1; UPDATE tb_post SET title = i::text WHERE pk_post = i + 100; COMMIT; END LOOP; END$$;
SELECT count(*), count(DISTINCT pending_since) BETWEEN 100 AND 250 AS told_apart FROM pg_tviews_pending('large');
CALL pg_tviews_drain();
-- Who may ask; row security hides what it hides.
UPDATE tb_post SET title = 'seen' WHERE pk_post IN (1, 4);
DROP ROLE IF EXISTS regress_tviews_stranger;
CREATE ROLE regress_tviews_stranger;
GRANT USAGE ON SCHEMA pending TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT error_of($$SELECT * FROM pg_tviews_pending('post')$$);
RESET ROLE;
GRANT SELECT ON tv_post TO regress_tviews_stranger;
SET ROLE regress_tviews_stranger;
SELECT key_text FROM pg_tviews_pending('post') ORDER BY 1;
RESET ROLE;
ALTER TABLE tv_post ENABLE ROW LEVEL SECURITY;
CREATE POLICY ours ON tv_post USING (name LIKE 'B%');
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'seen again' WHERE pk_post IN (1, 4);
SET ROLE regress_tviews_stranger;
SELECT key_text FROM pg_tviews_pending('post') ORDER BY 1;
RESET ROLE;
SELECT key_text FROM pg_tviews_pending('post') ORDER BY 1;
SELECT error_of($$SELECT * FROM pg_tviews_pending('nobody')$$);
SELECT error_of($$SELECT * FROM pg_tviews_pending(NULL)$$);
SELECT error_of($$SELECT * FROM pg_tviews_pending('post', '{x}')$$);
SELECT error_of($$SELECT * FROM pg_tviews_pending('post', '{NULL}')$$);
DROP VIEW v_pair;
SELECT error_of($$SELECT * FROM pg_tviews_pending('pair')$$);

SELECT pg_tviews_drop('pair');
CALL pg_tviews_drain();
DROP SCHEMA pending CASCADE;
DROP ROLE regress_tviews_stranger;
