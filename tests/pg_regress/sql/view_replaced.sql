-- A backing view dropped and made again, a nested view or a function replaced: noticed and reconciled.
SET client_min_messages = warning;
CREATE SCHEMA view_replaced;
SET search_path = view_replaced, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
CREATE VIEW v_user AS SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE VIEW v_post AS SELECT p.pk_post, jsonb_build_object('title', p.title) AS data FROM tb_post p;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
-- Dropped: changes wait.
DROP VIEW v_post;
UPDATE tb_post SET title = 'changed meanwhile' WHERE pk_post = 10;
CALL pg_tviews_drain();
TABLE tv_post ORDER BY 1;
UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user');
-- Made again, with another source.
CREATE VIEW v_post AS SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.data) AS data FROM tb_post p JOIN v_user u ON u.pk_user = p.fk_user;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
UPDATE tb_user SET name = 'Bobby' WHERE pk_user = 2;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), same('v_user', 'tv_user');
-- A nested view replaced.
CREATE OR REPLACE VIEW v_user AS SELECT pk_user, jsonb_build_object('name', upper(name)) AS data FROM tb_user;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), same('v_user', 'tv_user');
-- A function replaced.
CREATE FUNCTION label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT '<' || $1 || '>'$$;
CREATE OR REPLACE VIEW v_user AS SELECT pk_user, jsonb_build_object('name', label(name)) AS data FROM tb_user;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), same('v_user', 'tv_user');
CREATE OR REPLACE FUNCTION label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT '[' || $1 || ']'$$;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post'), same('v_user', 'tv_user');
-- A view that lost the key: said, other TVIEWs go on, mended by a right view.
DROP VIEW v_post;
CREATE VIEW v_post AS SELECT 'no key' AS data FROM tb_post;
CALL pg_tviews_drain();
SELECT entity_name, state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_post'::regclass;
DROP VIEW v_post;
CREATE VIEW v_post AS SELECT pk_post, to_jsonb(title) AS data FROM tb_post;
UPDATE tb_post SET title = 'mended';
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
SELECT entity_name, state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_post'::regclass;

DROP SCHEMA view_replaced CASCADE;
