-- A NOTICE for every occurrence of a source that is recomputed in full, with the reason; at redefinition too.
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
SELECT pg_tviews_create('several', 'SELECT p.pk_post AS id, (SELECT max(score) FROM tb_post m) AS best, (SELECT count(*) FROM tb_user LIMIT 1) AS users FROM tb_post p JOIN tb_post q ON q.pk_post = p.pk_post');
SELECT pg_tviews_create('several');
-- Key queries run as the owner of the table, who may read the view only.
CREATE ROLE regress_tviews_reader;
GRANT USAGE, CREATE ON SCHEMA create_says_what_is_not_followed TO regress_tviews_reader;
CREATE VIEW v_hidden AS SELECT p.pk_post AS id, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
GRANT SELECT ON v_hidden TO regress_tviews_reader;
GRANT TRIGGER ON tb_user, tb_post TO regress_tviews_reader;
SET ROLE regress_tviews_reader;
SELECT pg_tviews_create('hidden');
RESET ROLE;
SET client_min_messages = warning;
DROP OWNED BY regress_tviews_reader;
DROP ROLE regress_tviews_reader;

DROP SCHEMA create_says_what_is_not_followed CASCADE;
