-- name is an entity, a tv table, or either with a schema; quoted where SQL needs quotes.
SET client_min_messages = warning;
CREATE SCHEMA create_names;
SET search_path = create_names, public;

CREATE SCHEMA "Other App";
CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
INSERT INTO tb_post VALUES (1, 'one');
CREATE VIEW v_post AS SELECT * FROM tb_post;
CREATE VIEW v_comment AS SELECT pk_post AS pk_comment, title FROM tb_post;
CREATE VIEW "Other App".v_post AS SELECT * FROM tb_post;
CREATE VIEW "v_Big Post" AS SELECT pk_post AS id, title FROM tb_post;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('tv_post');
SELECT pg_tviews_create('create_names.post');
SELECT pg_tviews_create('create_names.tv_post');
SELECT pg_tviews_create('tv_comment');
SELECT pg_tviews_create('"Other App".post');
SELECT pg_tviews_create('"Big Post"');
SELECT entity_name, tview_oid, view_oid FROM pg_tview_meta WHERE tview_oid IN (SELECT name::regclass FROM traces WHERE kind = 'TVIEW') OR tview_oid = '"Other App".tv_post'::regclass ORDER BY tview_oid::text;
-- Every function takes the same names.
SELECT pg_tviews_pause('create_names.tv_post');
SELECT pg_tviews_resume('tv_post');
SELECT pg_tviews_refresh('"Other App".tv_post');
CALL pg_tviews_drain('create_names.post');
CALL pg_tviews_drain('"Big Post"');
CALL pg_tviews_drain('"Other App".tv_post');
SELECT * FROM pg_tviews_check('tv_comment');
-- The schema of an unqualified name is found by search_path; a name that is not found says so.
SET search_path = "Other App", create_names, public;
SELECT pg_tviews_drop('post');
SELECT pg_tviews_drop('comment');
\pset tuples_only on
\pset format unaligned
SELECT error_of($$SELECT pg_tviews_drop('"Other App".post')$$);
SELECT error_of($$SELECT pg_tviews_drop('no_schema.post')$$);
SELECT error_of($$SELECT pg_tviews_drop('a.b.c.d')$$);
SELECT error_of($$SELECT pg_tviews_drop('')$$);
SELECT error_of($$SELECT pg_tviews_drop(NULL)$$);
SELECT pg_tviews_drop('post');
DROP SCHEMA "Other App" CASCADE;

DROP SCHEMA create_names CASCADE;
