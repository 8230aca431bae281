-- TRUNCATE of either side of a join, followed by new rows, and through a foreign key.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA truncate;
SET search_path = truncate, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, fk_post int, label text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 1, 'two'), (12, 2, 'three');
INSERT INTO tb_tag VALUES (100, 10, 'x'), (101, 12, 'y');

CREATE VIEW v_user AS
SELECT u.pk_user, u.name, count(p.pk_post) AS posts, count(t.pk_tag) AS tags
  FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user LEFT JOIN tb_tag t ON t.fk_post = p.pk_post
 GROUP BY u.pk_user, u.name;
CREATE VIEW v_post AS
SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');

SELECT command FROM run_case('user,post',
    $$TRUNCATE tb_tag$$,
    $$INSERT INTO tb_tag VALUES (102, 11, 'z')$$,
    $$TRUNCATE tb_tag; INSERT INTO tb_tag VALUES (103, 12, 'new')$$,
    $$TRUNCATE tb_post$$,
    $$INSERT INTO tb_post VALUES (13, 2, 'four'), (14, 1, 'five')$$,
    $$UPDATE tb_post SET title = 'changed before'; TRUNCATE tb_post; INSERT INTO tb_post VALUES (13, 1, 'again')$$,
    $$SAVEPOINT s; TRUNCATE tb_post; ROLLBACK TO s; UPDATE tb_user SET name = 'Ann2' WHERE pk_user = 1$$,
    $$TRUNCATE tb_user CASCADE$$,
    $$INSERT INTO tb_user VALUES (1, 'back'); INSERT INTO tb_post VALUES (10, 1, 'back')$$,
    $$TRUNCATE tb_user, tb_post, tb_tag; INSERT INTO tb_user VALUES (5, 'only')$$)
\gexec

DROP SCHEMA truncate CASCADE;
