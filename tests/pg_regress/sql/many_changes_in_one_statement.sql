-- One statement that inserts, updates and deletes in one table, or changes two sources.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA many_changes_in_one_statement;
SET search_path = many_changes_in_one_statement, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two'), (12, 3, 'three'), (13, 3, 'four');

CREATE VIEW v_user AS
SELECT u.pk_user, u.name, array_agg(p.title ORDER BY p.pk_post) AS titles
  FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user, u.name;
CREATE VIEW v_post AS
SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');

SELECT command FROM run_case('user,post',
    $$WITH d AS (DELETE FROM tb_post WHERE pk_post = 10), u AS (UPDATE tb_post SET fk_user = 1 WHERE pk_post = 11)
      INSERT INTO tb_post VALUES (14, 2, 'five'), (15, 4, 'no parent yet')$$,
    $$WITH u AS (INSERT INTO tb_user VALUES (4, 'Dot') RETURNING pk_user)
      INSERT INTO tb_post SELECT 16, pk_user, 'child of a new row' FROM u$$,
    $$WITH p AS (UPDATE tb_post SET title = upper(title) WHERE fk_user = 3 RETURNING fk_user)
      UPDATE tb_user SET name = 'Cid*' WHERE pk_user IN (SELECT fk_user FROM p)$$,
    $$WITH u AS (DELETE FROM tb_user WHERE pk_user = 1 RETURNING pk_user)
      DELETE FROM tb_post WHERE fk_user IN (SELECT pk_user FROM u)$$,
    $$WITH moved AS (DELETE FROM tb_post WHERE fk_user = 3 RETURNING *)
      INSERT INTO tb_post SELECT pk_post + 100, 2, title FROM moved$$,
    $$DO 'BEGIN FOR i IN 1..300 LOOP INSERT INTO tb_user VALUES (i + 1000, i); INSERT INTO tb_post VALUES (i + 1000, i + 1000, i); END LOOP; END'$$,
    $$DELETE FROM tb_user WHERE pk_user % 3 = 0; UPDATE tb_post SET title = title || '!' WHERE pk_post % 2 = 0$$)
\gexec

DROP SCHEMA many_changes_in_one_statement CASCADE;
