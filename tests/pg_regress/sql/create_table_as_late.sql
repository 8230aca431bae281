-- Where the library is not preloaded, an event trigger refuses the table that would not follow its query.
\c
\pset tuples_only on
\pset format unaligned
-- The first statement of a session, before anything has loaded the library.
CREATE TABLE tv_late AS SELECT 1 AS pk_late;
\c
SET pg_tviews.create_table_as = off;
CREATE TABLE tv_late AS SELECT 1 AS pk_late;
DROP TABLE tv_late;
\c
SET client_min_messages = notice;
CREATE SCHEMA create_table_as_late;
SET search_path = create_table_as_late, public;
CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
-- The library is loaded now: nothing else happens.
SELECT error_of('CREATE TABLE tv_post AS SELECT pk_post FROM tb_post');
SELECT error_of('SELECT pk_post INTO tv_post FROM tb_post');
SELECT error_of('CREATE UNLOGGED TABLE IF NOT EXISTS "tv_Post" (a) AS SELECT pk_post FROM tb_post WITH NO DATA');
SELECT count(*) FROM traces;
-- Not refused: a table that exists, temporary tables, other names, other commands, what is replayed.
SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post');
CREATE TABLE IF NOT EXISTS tv_post AS SELECT pk_post FROM tb_post;
CREATE TEMP TABLE tv_scratch AS SELECT pk_post FROM tb_post;
CREATE TABLE tv_ AS SELECT 1 AS pk_;
CREATE MATERIALIZED VIEW tv_seen AS SELECT 1 AS pk_seen;
CREATE TABLE tv_made (pk_made int);
SET session_replication_role = replica;
CREATE TABLE tv_replayed AS SELECT 1 AS pk_replayed;
RESET session_replication_role;

SET client_min_messages = warning;
DROP SCHEMA create_table_as_late CASCADE;
CALL pg_tviews_drain();
