-- Users may UPDATE fk_columns and max_latency; a bad value, and any other column, is refused.
SET client_min_messages = warning;
CREATE SCHEMA meta_update;
SET search_path = meta_update, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, fk_other int, title text);
INSERT INTO tb_user VALUES (1, 'Ann');
INSERT INTO tb_post VALUES (10, 1, NULL, 'one');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT pk_post, fk_user, title FROM tb_post', max_latency => '2 seconds');
CREATE VIEW seen AS SELECT entity_name, fk_columns, max_latency, state FROM pg_tview_meta WHERE tview_oid IN ('tv_user'::regclass, 'tv_post'::regclass) ORDER BY 1;
SELECT * FROM seen;
UPDATE pg_tview_meta SET fk_columns = '{fk_user}'::text[] WHERE entity_name = 'post';
UPDATE pg_tview_meta SET max_latency = '100 ms' WHERE entity_name = 'user';
SELECT * FROM seen;
UPDATE pg_tview_meta SET fk_columns = '{}', max_latency = NULL;
SELECT * FROM seen;
\pset format unaligned
\pset tuples_only on
SELECT error_of($$UPDATE pg_tview_meta SET fk_columns = '{fk_nothing}' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET fk_columns = '{fk_other}' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET fk_columns = '{title}' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET fk_columns = '{NULL}' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET fk_columns = NULL WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = '-1 second' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = '0' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = '1 year' WHERE entity_name = 'post'$$);
-- Nor may a superuser change the rest.
SELECT error_of($$UPDATE pg_tview_meta SET state = 'suspended' WHERE entity_name = 'post'$$);
SELECT error_of($$DELETE FROM pg_tview_meta WHERE entity_name = 'post'$$);
-- An update that changes nothing leaves no trace.
SELECT count(*) FROM pg_tview_meta_audit WHERE entity_name IN ('user', 'post') \gset before_
UPDATE pg_tview_meta SET max_latency = max_latency, fk_columns = fk_columns, state = state;
SELECT count(*) = :before_count FROM pg_tview_meta_audit WHERE entity_name IN ('user', 'post');
-- Both columns at once.
UPDATE pg_tview_meta SET max_latency = '3 seconds', fk_columns = '{fk_user}' WHERE entity_name = 'post' RETURNING entity_name, fk_columns, max_latency;
SELECT * FROM seen;
UPDATE pg_tview_meta SET max_latency = NULL, fk_columns = '{}' WHERE entity_name = 'post';
-- An ordinary user.
DROP ROLE IF EXISTS regress_tviews_user;
CREATE ROLE regress_tviews_user;
GRANT USAGE ON SCHEMA meta_update TO regress_tviews_user;
SET ROLE regress_tviews_user;
SELECT error_of($$UPDATE pg_tview_meta SET state = 'suspended' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET key_columns = '{fk_user}' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET entity_name = 'x' WHERE entity_name = 'post'$$);
SELECT error_of($$DELETE FROM pg_tview_meta WHERE entity_name = 'post'$$);
SELECT error_of($$INSERT INTO pg_tview_meta SELECT * FROM pg_tview_meta$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = '1 second' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET max_latency = max_latency WHERE entity_name = 'post'$$);
SELECT error_of($$SELECT * FROM pg_tview_definition FOR UPDATE$$);
SELECT error_of($$UPDATE pg_tview_meta SET throttle_lag = '1 second' WHERE entity_name = 'post'$$);
RESET ROLE;
SELECT * FROM seen;
-- Back-pressure: kept when the TVIEW is defined again.
UPDATE pg_tview_meta SET throttle_lag = '90 seconds' WHERE entity_name = 'post' RETURNING entity_name, throttle_lag;
SELECT pg_tviews_create('post', 'SELECT pk_post, title FROM tb_post');
SELECT throttle_lag FROM pg_tview_definition WHERE tview_oid = 'tv_post'::regclass;
SELECT details ->> 'throttle_lag_seconds' FROM pg_tview_meta_audit WHERE tview_oid = 'tv_post'::regclass AND operation = 'configure' ORDER BY audit_id DESC LIMIT 1;
SELECT error_of($$UPDATE pg_tview_meta SET throttle_lag = '0' WHERE entity_name = 'post'$$);
SELECT error_of($$UPDATE pg_tview_meta SET throttle_lag = '1 year' WHERE entity_name = 'post'$$);
UPDATE pg_tview_meta SET throttle_lag = NULL WHERE entity_name = 'post' RETURNING entity_name, throttle_lag;

DROP SCHEMA meta_update CASCADE;
DROP ROLE regress_tviews_user;
