-- Rows enter and leave by WHERE and by HAVING.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA rows_enter_and_leave;
SET search_path = rows_enter_and_leave, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, status text, deleted_at date);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, likes int, published boolean);
INSERT INTO tb_user VALUES (1, 'Ann', 'active', NULL), (2, 'Bob', 'new', NULL), (3, 'Cid', 'active', '2020-01-01');
INSERT INTO tb_post VALUES (10, 1, 5, true), (11, 1, 6, true), (12, 2, 1, false);

CREATE VIEW v_user AS SELECT pk_user, name FROM tb_user WHERE status = 'active' AND deleted_at IS NULL;
CREATE VIEW v_author AS
SELECT u.pk_user AS id, u.name, count(*) AS posts, sum(p.likes) AS likes
  FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user
 WHERE p.published AND u.deleted_at IS NULL
 GROUP BY u.pk_user HAVING count(*) >= 2 AND sum(p.likes) > 10;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('author');

SELECT command FROM run_case('user,author',
    $$UPDATE tb_user SET deleted_at = '2024-02-29' WHERE pk_user = 1$$,
    $$UPDATE tb_user SET deleted_at = NULL$$,
    $$UPDATE tb_user SET status = 'active' WHERE pk_user = 2$$,
    $$UPDATE tb_post SET published = true$$,
    $$INSERT INTO tb_post VALUES (13, 2, 100, true)$$,
    $$UPDATE tb_post SET likes = 0 WHERE pk_post = 11$$,
    $$UPDATE tb_post SET likes = 7 WHERE pk_post = 11$$,
    $$UPDATE tb_post SET published = NULL WHERE pk_post = 13$$,
    $$UPDATE tb_post SET published = true, fk_user = 3 WHERE pk_post IN (10, 13)$$,
    $$UPDATE tb_user SET status = NULL$$,
    $$DELETE FROM tb_post WHERE fk_user = 3$$)
\gexec

DROP SCHEMA rows_enter_and_leave CASCADE;
