-- Keys deleted and inserted again, swapped, and shifted in one batch.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA keys_reused;
SET search_path = keys_reused, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY DEFERRABLE, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY DEFERRABLE, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two'), (12, 2, 'three');

CREATE VIEW v_post AS
SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
CREATE VIEW v_user AS SELECT pk_user, name FROM tb_user;
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('user');

SELECT command FROM run_case('post,user',
    $$DELETE FROM tb_post WHERE pk_post = 10; INSERT INTO tb_post VALUES (10, 2, 'again')$$,
    $$DELETE FROM tb_post WHERE pk_post = 10; INSERT INTO tb_post VALUES (10, 2, 'again')$$,
    $$UPDATE tb_post SET pk_post = CASE pk_post WHEN 10 THEN 11 ELSE 10 END WHERE pk_post IN (10, 11)$$,
    $$UPDATE tb_user SET pk_user = 3 - pk_user$$,
    $$UPDATE tb_post SET pk_post = pk_post + 1$$,
    $$UPDATE tb_user SET pk_user = 7 WHERE pk_user = 1; UPDATE tb_user SET pk_user = 1 WHERE pk_user = 7$$,
    $$INSERT INTO tb_post VALUES (50, 1, 'short life'); DELETE FROM tb_post WHERE pk_post = 50$$,
    $$DELETE FROM tb_user; INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob')$$,
    $$DELETE FROM tb_user; DELETE FROM tb_post$$)
\gexec

DROP SCHEMA keys_reused CASCADE;
