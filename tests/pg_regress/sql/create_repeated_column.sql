-- SELECT pk_post, * FROM tb_post is accepted: the repeated column collapses.
SET client_min_messages = warning;
CREATE SCHEMA create_repeated_column;
SET search_path = create_repeated_column, public;

CREATE TABLE tb_post (pk_post int PRIMARY KEY, id uuid, title text);
INSERT INTO tb_post VALUES (1, '00000000-0000-0000-0000-000000000001', 'one');
SELECT pg_tviews_create('post', 'SELECT pk_post, * FROM tb_post');
SELECT attname FROM pg_attribute WHERE attrelid = 'tv_post'::regclass AND attnum > 0 ORDER BY attnum;
CREATE TABLE tv_article (pk_article int PRIMARY KEY, data jsonb NOT NULL);
SELECT pg_tviews_create('article', 'SELECT pk_post AS pk_article, title, * FROM tb_post');
CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (2, NULL, 'two');
CALL pg_tviews_drain();
TABLE tv_post ORDER BY pk_post;
TABLE tv_article ORDER BY pk_article;
SELECT same('v_post', 'tv_post');
-- Two different columns of one name do not collapse silently.
\pset format unaligned
\pset tuples_only on
SELECT error_of($$SELECT pg_tviews_create('clash', 'SELECT pk_post AS id, p.* FROM tb_post p')$$);

DROP SCHEMA create_repeated_column CASCADE;
