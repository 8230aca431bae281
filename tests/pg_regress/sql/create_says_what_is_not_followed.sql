-- A NOTICE for every source that is recomputed in full, with the reason.
SET client_min_messages = warning;
CREATE SCHEMA create_says_what_is_not_followed;
SET search_path = create_says_what_is_not_followed, public;

SET client_min_messages = notice;
\set VERBOSITY default
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, at timestamptz);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, score int);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
SELECT pg_tviews_create('keyed', 'SELECT p.pk_post AS id, u.name, twice(p.score) AS twice FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('top', 'SELECT pk_post AS id, score FROM tb_post ORDER BY score DESC LIMIT 3');
SELECT pg_tviews_create('above', 'SELECT u.pk_user AS id, u.name FROM tb_user u WHERE u.pk_user > (SELECT avg(score) FROM tb_post)');
SET client_min_messages = warning;

DROP SCHEMA create_says_what_is_not_followed CASCADE;
