-- The newest rows of each parent by LATERAL with ORDER BY and LIMIT, and OFFSET, at any depth.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_lateral_top_n;
SET search_path = lineage_lateral_top_n, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, wanted int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text, score int);
CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, fk_post int, body text);
INSERT INTO tb_user VALUES (1, 'Ann', 2), (2, 'Bob', 1), (3, 'Cid', 0);
INSERT INTO tb_post SELECT i, 1 + i % 2, 'post' || i, i % 4 FROM generate_series(1, 10) AS i;
INSERT INTO tb_comment SELECT i, 1 + i % 10, 'comment' || i FROM generate_series(1, 20) AS i;

CREATE VIEW v_top AS
SELECT u.pk_user AS id, u.name, t.posts
  FROM tb_user u
  LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('t', x.title, 'c', c.body) ORDER BY x.score DESC, x.pk_post) AS posts
                       FROM (SELECT p.* FROM tb_post p WHERE p.fk_user = u.pk_user ORDER BY p.score DESC, p.pk_post LIMIT 2) x
                       LEFT JOIN LATERAL (SELECT body FROM tb_comment c WHERE c.fk_post = x.pk_post ORDER BY c.pk_comment DESC LIMIT 1) c ON true) t ON true;
CREATE VIEW v_second AS
SELECT u.pk_user AS id, (SELECT p.title FROM tb_post p WHERE p.fk_user = u.pk_user ORDER BY p.score DESC, p.pk_post OFFSET 1 LIMIT 1) AS second FROM tb_user u;
CREATE VIEW v_wanted AS
SELECT u.pk_user, p.pk_post, p.title
  FROM tb_user u, LATERAL (SELECT * FROM tb_post p WHERE p.fk_user = u.pk_user ORDER BY p.score, p.pk_post LIMIT u.wanted) p;
CREATE VIEW v_cross AS
SELECT u.pk_user AS id, l.n, l.total FROM tb_user u CROSS JOIN LATERAL (SELECT count(*) AS n, sum(score) AS total FROM tb_post p WHERE p.fk_user = u.pk_user) l;
SELECT pg_tviews_create('top');
SELECT pg_tviews_create('second');
SELECT pg_tviews_create('wanted', key_columns => '{pk_user,pk_post}');
SELECT pg_tviews_create('cross');

SELECT command FROM run_case('top,second,wanted,cross',
    $$UPDATE tb_post SET score = 100 WHERE pk_post = 2$$,
    $$UPDATE tb_post SET score = -1 WHERE pk_post = 3$$,
    $$DELETE FROM tb_post WHERE pk_post = 2$$,
    $$UPDATE tb_comment SET fk_post = 3 WHERE pk_comment = 20$$,
    $$INSERT INTO tb_comment VALUES (21, 3, 'newest'), (22, 7, 'newest')$$,
    $$UPDATE tb_post SET fk_user = 3 - fk_user$$,
    $$UPDATE tb_user SET wanted = wanted + 1$$,
    $$INSERT INTO tb_post VALUES (11, 3, 'first', 0)$$,
    $$DELETE FROM tb_post WHERE fk_user = 1$$,
    $$DELETE FROM tb_comment$$)
\gexec

DROP SCHEMA lineage_lateral_top_n CASCADE;
