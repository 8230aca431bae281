-- Calling pg_tviews_create again redefines the TVIEW and reconciles its rows.
SET client_min_messages = warning;
CREATE SCHEMA create_redefines;
SET search_path = create_redefines, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
SELECT pg_tviews_create('post', $$SELECT pk_post, jsonb_build_object('title', title) AS data FROM tb_post$$, max_latency => '1 second');
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
-- Another source, other content, the same columns.
SELECT pg_tviews_create('post', $$SELECT p.pk_post, jsonb_build_object('title', title, 'by', u.name) AS data FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');
-- Fewer rows; a source less: its trigger goes.
SELECT pg_tviews_create('post', $$SELECT pk_post, jsonb_build_object('t', title) AS data FROM tb_post WHERE pk_post > 10$$);
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
SELECT * FROM traces ORDER BY 1, 2;
SELECT entity_name, max_latency FROM pg_tview_meta WHERE tview_oid = 'tv_post'::regclass;
-- The same definition again changes nothing.
CALL remember_rows('post');
SELECT pg_tviews_create('post', $$SELECT pk_post, jsonb_build_object('t', title) AS data FROM tb_post WHERE pk_post > 10$$);
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
SELECT rows_rewritten();
-- Other columns: a table that the extension made gets them.
SELECT pg_tviews_create('post', $$SELECT pk_post, title, jsonb_build_object('t', title) AS data FROM tb_post$$);
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
UPDATE tb_post SET title = upper(title);
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
-- A failing redefinition leaves the old one working.
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT nonsense')$$);
UPDATE tb_post SET title = lower(title);
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
SELECT regexp_replace(pg_get_viewdef('v_post'), '\mtb_post\.', '', 'g') AS view;

DROP SCHEMA create_redefines CASCADE;
