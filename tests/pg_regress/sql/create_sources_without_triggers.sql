-- Materialized views, foreign tables, temporary tables, catalogs and sequences cannot be followed: refused, or said.
SET client_min_messages = warning;
CREATE SCHEMA create_sources_without_triggers;
SET search_path = create_sources_without_triggers, public;

SET client_min_messages = notice;
\set VERBOSITY default
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE MATERIALIZED VIEW m_user AS SELECT * FROM tb_user;
CREATE FOREIGN DATA WRAPPER regress_tviews_fdw;
CREATE SERVER regress_tviews_server FOREIGN DATA WRAPPER regress_tviews_fdw;
CREATE FOREIGN TABLE f_user (pk_user int, name text) SERVER regress_tviews_server;
CREATE TEMP TABLE t_user (pk_user int, name text);
CREATE SEQUENCE s_user;
CREATE UNLOGGED TABLE u_user (pk_user int PRIMARY KEY, name text);
SELECT error_of($$SELECT pg_tviews_create('matview', 'SELECT pk_user AS id, name FROM m_user')$$);
SELECT error_of($$SELECT pg_tviews_create('foreign', 'SELECT pk_user AS id, name FROM f_user')$$);
SELECT pg_tviews_create('temporary', 'SELECT pk_user AS id, name FROM t_user');
SELECT pg_tviews_create('temporary_below', 'SELECT pk_user AS id, name FROM tb_user u WHERE EXISTS (SELECT FROM t_user t WHERE t.pk_user = u.pk_user)');
SELECT pg_tviews_create('catalog', 'SELECT oid::int AS id, relname FROM pg_class');
SELECT pg_tviews_create('schema_info', 'SELECT table_name::text AS id FROM information_schema.tables');
SELECT pg_tviews_create('sequence', 'SELECT last_value AS id FROM s_user');
SELECT pg_tviews_create('queue', 'SELECT source_oid::text AS id, count(*) FROM pg_tview_queue GROUP BY 1');
SELECT pg_tviews_create('unlogged', 'SELECT pk_user AS id, name FROM u_user');
SELECT pg_tviews_create('nothing', 'SELECT 1 AS id, 2 AS two');
SELECT pg_tviews_create('itself', 'SELECT id, name FROM tv_itself');
SET client_min_messages = warning;
SELECT * FROM traces ORDER BY 1, 2;
DROP FOREIGN DATA WRAPPER regress_tviews_fdw CASCADE;
DROP TABLE t_user CASCADE;

DROP SCHEMA create_sources_without_triggers CASCADE;
