-- A view that reads the tv table of another TVIEW follows in the same drain.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA tview_on_tview;
SET search_path = tview_on_tview, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');

SELECT pg_tviews_create('user', $$SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user$$);
SELECT pg_tviews_create('post', $$
SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.data) AS data FROM tb_post p LEFT JOIN tv_user u ON u.pk_user = p.fk_user$$);
SELECT pg_tviews_create('feed', $$SELECT 1 AS id, jsonb_agg(data ORDER BY pk_post) AS data FROM tv_post$$);

SELECT command FROM run_case('user,post,feed',
    $$UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1$$,
    $$UPDATE tb_post SET title = 'uno' WHERE pk_post = 10$$,
    $$UPDATE tb_post SET fk_user = 1; UPDATE tb_user SET name = 'both'$$,
    $$INSERT INTO tb_post VALUES (12, 3, 'early')$$,
    $$INSERT INTO tb_user VALUES (3, 'late')$$,
    $$DELETE FROM tb_user WHERE pk_user = 1$$,
    $$TRUNCATE tb_user$$,
    $$TRUNCATE tb_post$$)
\gexec

DROP SCHEMA tview_on_tview CASCADE;
