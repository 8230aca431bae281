-- An ordered, filtered array of children: none, some, none; children move between parents.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA children_array;
SET search_path = children_array, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, rank int, deleted boolean DEFAULT false);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 2, 'b', 1, false);

CREATE VIEW v_user AS
SELECT u.pk_user, u.name,
       coalesce(jsonb_agg(jsonb_build_object('id', p.pk_post, 'title', p.title) ORDER BY p.rank, p.pk_post)
                FILTER (WHERE p.pk_post IS NOT NULL AND NOT p.deleted), '[]') AS posts
  FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user
 GROUP BY u.pk_user, u.name;
SELECT pg_tviews_create('user');

SELECT command FROM run_case('user',
    $$INSERT INTO tb_post VALUES (11, 1, 'one', 2)$$,
    $$INSERT INTO tb_post VALUES (12, 1, 'zero', 1)$$,
    $$UPDATE tb_post SET rank = 3 WHERE pk_post = 12$$,
    $$UPDATE tb_post SET deleted = true WHERE pk_post = 11$$,
    $$UPDATE tb_post SET deleted = false WHERE pk_post = 11$$,
    $$UPDATE tb_post SET fk_user = 2 WHERE pk_post = 12$$,
    $$UPDATE tb_post SET fk_user = 3 - fk_user$$,
    $$DELETE FROM tb_post WHERE fk_user = 1$$,
    $$UPDATE tb_post SET fk_user = NULL$$,
    $$DELETE FROM tb_post$$,
    $$INSERT INTO tb_user VALUES (3, 'Cid')$$)
\gexec

DROP SCHEMA children_array CASCADE;
