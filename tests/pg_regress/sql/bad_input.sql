-- Bad input gets a clear error, and nothing is left half done.
SET client_min_messages = warning;
CREATE SCHEMA bad_input;
SET search_path = bad_input, public;

\pset format unaligned
\pset tuples_only on
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_post VALUES (1, 1, 'one'), (2, 1, 'two'), (3, NULL, 'three');
CREATE TEMP TABLE temporary_post (pk_post int PRIMARY KEY);
-- Names.
SELECT error_of($$SELECT pg_tviews_create('post')$$);
SELECT error_of($$SELECT pg_tviews_create('nobody.post', 'SELECT * FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('', 'SELECT * FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('tv_', 'SELECT * FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create(NULL, 'SELECT * FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('a.b.c', 'SELECT * FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('"unclosed', 'SELECT * FROM tb_post')$$);
SELECT error_of(format('SELECT pg_tviews_create(%L, %L)', repeat('x', 61), 'SELECT pk_post AS id FROM tb_post'));
SELECT error_of(format('SELECT pg_tviews_create(%L, %L)', repeat('ä', 31), 'SELECT pk_post AS id FROM tb_post'));
SELECT error_of($$SELECT pg_tviews_create('pg_catalog.post', 'SELECT pk_post FROM bad_input.tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('pg_temp.post', 'SELECT pk_post FROM bad_input.tb_post')$$);
-- Keys.
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post', key_columns => '{nothing}')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT fk_user AS pk_post, title FROM tb_post WHERE fk_user IS NOT NULL')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT fk_user AS pk_post FROM tb_post WHERE pk_post > 1')$$);
-- Queries.
SELECT error_of($$SELECT pg_tviews_create('post', '')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELEC pk_post FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM nowhere')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post; DROP TABLE tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post; SELECT 1')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'DELETE FROM tb_post RETURNING pk_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'WITH d AS (DELETE FROM tb_post RETURNING pk_post) SELECT * FROM d')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post INTO other FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post FOR UPDATE')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'VACUUM')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'CREATE TABLE other (x int)')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'EXPLAIN SELECT pk_post FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post WHERE pk_post = $1')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post) TO STDOUT; --')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM temporary_post')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT oid::int AS pk_post FROM pg_class')$$);
-- Latency.
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post', max_latency => '-1 second')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post', max_latency => '0')$$);
SELECT error_of($$SELECT pg_tviews_create('post', 'SELECT pk_post FROM tb_post', max_latency => '1000 years')$$);
-- A tv table that is something else.
CREATE VIEW tv_view AS SELECT 1 AS id;
CREATE TABLE tv_partitioned (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE MATERIALIZED VIEW tv_matview AS SELECT 1 AS id;
CREATE TEMP TABLE tv_temporary (id int PRIMARY KEY);
CREATE TABLE v_table (id int PRIMARY KEY);
CREATE TABLE tv_types (id int PRIMARY KEY, title date);
CREATE TABLE tv_required (id int PRIMARY KEY, title text, must text NOT NULL);
CREATE TABLE tv_generated (id int PRIMARY KEY, title text GENERATED ALWAYS AS ('x') STORED);
CREATE TABLE tv_identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text);
SELECT error_of(format('SELECT pg_tviews_create(%L, %L)', name, 'SELECT pk_post AS id, title FROM tb_post'))
  FROM unnest('{view,partitioned,matview,pg_temp.temporary,table,types,required}'::text[]) AS name;
SELECT error_of($$SELECT pg_tviews_create('table')$$);
SELECT error_of($$SELECT pg_tviews_drop('post')$$);
SELECT error_of($$SELECT pg_tviews_refresh('post')$$);
SELECT error_of($$SELECT pg_tviews_wait('post', '1 second')$$);
SELECT error_of($$CALL pg_tviews_drain('post')$$);
-- Nothing is left.
SELECT * FROM traces WHERE kind IN ('TVIEW', 'trigger');
SELECT * FROM traces ORDER BY 1, 2;
SELECT count(*) FROM pg_tview_queue;
-- Columns that PostgreSQL computes itself cannot hold what the view returns; an identity that is the key can.
CREATE TABLE tv_numbered (id int PRIMARY KEY, title text, number int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE tv_shouted (id int PRIMARY KEY, title text, shout text GENERATED ALWAYS AS (upper(title)) STORED, number int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE tv_key (id int GENERATED ALWAYS AS (1) STORED PRIMARY KEY, title text);
SELECT error_of($$SELECT pg_tviews_create('generated', 'SELECT pk_post AS id, title FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('numbered', 'SELECT pk_post AS id, title, pk_post AS number FROM tb_post')$$);
SELECT error_of($$SELECT pg_tviews_create('key', 'SELECT pk_post AS id, title FROM tb_post')$$);
SELECT pg_tviews_create('identity', 'SELECT pk_post AS id, title FROM tb_post');
SELECT pg_tviews_create('shouted', 'SELECT pk_post AS id, title FROM tb_post');
CALL pg_tviews_drain();
TABLE tv_identity ORDER BY id;
UPDATE tb_post SET title = 'uno' WHERE pk_post = 1;
CALL pg_tviews_drain();
SELECT id, title, shout FROM tv_shouted ORDER BY id;
DROP TABLE temporary_post, tv_temporary;

DROP SCHEMA bad_input CASCADE;
