-- A join follows changes of both sides, and a rolled-back savepoint takes nothing else with it.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA join_both_sides;
SET search_path = join_both_sides, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 1, 'two'), (12, 2, 'three'), (13, 3, 'parent comes later');

CREATE VIEW v_post AS
SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.name) AS data
  FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('post');

SELECT command FROM run_case('post',
    $$UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1$$,
    $$UPDATE tb_post SET title = 'uno' WHERE pk_post = 10$$,
    $$INSERT INTO tb_user VALUES (3, 'Late')$$,
    $$UPDATE tb_post SET fk_user = 2 WHERE pk_post = 11$$,
    $$UPDATE tb_user SET name = 'Bobby' WHERE pk_user = 2;
      SAVEPOINT s; DELETE FROM tb_post; UPDATE tb_user SET name = 'gone'; ROLLBACK TO s;
      UPDATE tb_post SET title = 'dos' WHERE pk_post = 11$$,
    $$SAVEPOINT a; UPDATE tb_post SET title = 'kept' WHERE pk_post = 12;
      SAVEPOINT b; UPDATE tb_user SET name = 'lost' WHERE pk_user = 1; ROLLBACK TO b; RELEASE a$$,
    $$SAVEPOINT a; SAVEPOINT b; UPDATE tb_user SET name = 'inner' WHERE pk_user = 1; RELEASE b; ROLLBACK TO a;
      UPDATE tb_user SET name = 'after' WHERE pk_user = 3$$,
    $$DELETE FROM tb_user WHERE pk_user = 2$$,
    $$UPDATE tb_user SET pk_user = 2 WHERE pk_user = 1$$,
    $$DELETE FROM tb_post WHERE pk_post = 13$$,
    $$INSERT INTO tb_post VALUES (14, 4, 'child first')$$,
    $$INSERT INTO tb_user VALUES (4, 'parent second')$$,
    $$UPDATE tb_post SET fk_user = NULL$$)
\gexec

DROP SCHEMA join_both_sides CASCADE;
