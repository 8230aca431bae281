-- NULL in values and in join columns, to and from.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA null_values;
SET search_path = null_values, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, info jsonb);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, NULL, NULL), (2, 'Bob', 'null'), (3, '', '{}');
INSERT INTO tb_post VALUES (10, 1, NULL), (11, NULL, 'x'), (12, 2, '');

CREATE VIEW v_post AS
SELECT p.pk_post, p.title, u.name, u.info, to_jsonb(p) AS data
  FROM tb_post p LEFT JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('post');

SELECT command FROM run_case('post',
    $$UPDATE tb_user SET name = 'Ann' WHERE pk_user = 1$$,
    $$UPDATE tb_user SET name = NULL$$,
    $$UPDATE tb_post SET fk_user = 3 WHERE pk_post = 11$$,
    $$UPDATE tb_post SET fk_user = NULL WHERE pk_post = 10$$,
    $$UPDATE tb_user SET info = 'null' WHERE pk_user = 3$$,
    $$UPDATE tb_user SET info = NULL WHERE pk_user = 3$$,
    $$UPDATE tb_post SET title = NULL WHERE title = ''$$,
    $$UPDATE tb_post SET title = '' WHERE title IS NULL$$,
    $$UPDATE tb_post SET fk_user = NULL, title = NULL$$)
\gexec

DROP SCHEMA null_values CASCADE;
