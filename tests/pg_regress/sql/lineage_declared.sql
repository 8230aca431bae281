-- fk_columns adds lineage that the view's text hides in a function.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_declared;
SET search_path = lineage_declared, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two'), (12, 1, 'three');
CREATE FUNCTION author(int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT name FROM lineage_declared.tb_user WHERE pk_user = $1); END';

CREATE VIEW v_user AS SELECT pk_user, name FROM tb_user;
CREATE VIEW v_post AS SELECT pk_post, fk_user, title, author(fk_user) AS author FROM tb_post;
SET client_min_messages = error;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');
SET client_min_messages = warning;
UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE tview_oid = 'tv_post'::regclass;

SELECT command FROM run_case('user,post',
    $$UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1$$,
    $$UPDATE tb_post SET fk_user = 2 WHERE pk_post = 12$$,
    $$UPDATE tb_user SET name = 'Bobby' WHERE pk_user = 2$$,
    $$DELETE FROM tb_user WHERE pk_user = 1$$,
    $$INSERT INTO tb_user VALUES (1, 'back')$$,
    $$TRUNCATE tb_user$$)
\gexec

DROP SCHEMA lineage_declared CASCADE;
