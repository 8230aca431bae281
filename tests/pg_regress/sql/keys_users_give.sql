-- Keys that users write are read once, under the settings of their session; those they get back have all their digits.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA keys_users_give;
SET search_path = keys_users_give, public;
CREATE EXTENSION citext SCHEMA keys_users_give;
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';

CREATE TABLE tb_day (day date PRIMARY KEY, n int);
INSERT INTO tb_day VALUES ('2024-01-02', 1), ('2024-02-01', 2);
CREATE VIEW v_day AS SELECT day, 10 / n AS n FROM tb_day;
SELECT pg_tviews_create('day', key_columns => '{day}');
CREATE TABLE tb_pair (a numeric, b citext, n int, PRIMARY KEY (a, b));
INSERT INTO tb_pair VALUES (12345678901234567890.1, 'Key', 1), (12345678901234567890.2, 'Key', 1), (1e400, 'x', 1), (1.50, 'y', 1);
CREATE VIEW v_pair AS SELECT a, b, 10 / n AS n FROM tb_pair;
SELECT pg_tviews_create('pair', key_columns => '{a,b}');
CREATE TABLE tb_float (f float8 PRIMARY KEY, at timestamptz, n int);
INSERT INTO tb_float VALUES (0.1, '2024-01-02 03:04:05.678901+00', 1), (0.30000000000000004, 'infinity', 1);
CREATE VIEW v_float AS SELECT f, 10 / n AS n FROM tb_float;
CREATE VIEW v_at AS SELECT at, 10 / n AS n FROM tb_float;
SELECT pg_tviews_create('float', key_columns => '{f}');
SELECT pg_tviews_create('at', key_columns => '{at}');
CREATE TABLE tb_rel (rel regclass PRIMARY KEY, n int);
INSERT INTO tb_rel VALUES ('tb_day', 1), ('pg_class', 1);
CREATE VIEW v_rel AS SELECT rel, 10 / n AS n FROM tb_rel;
SELECT pg_tviews_create('rel', key_columns => '{rel}');

-- The first of February, for a session that writes the day first.
SET datestyle = 'SQL, DMY';
UPDATE tb_day SET n = n;
SELECT pg_tviews_refresh('day', '{01/02/2024}');
SELECT keys FROM pg_tview_queue;
SELECT key, key_text FROM pg_tviews_pending('day', '{01/02/2024}');
SELECT count(*) FROM pg_tviews_pending('day', '{02/01/2024}');
SELECT * FROM pg_tviews_affected('day', 'tb_day', '[{"day": "01/02/2024"}]');
SELECT error_of($$SELECT pg_tviews_refresh('day', '{01/13/2024}')$$);
CALL pg_tviews_drain();
-- A dead key is that of its value, however it is written.
UPDATE tb_day SET n = 0 WHERE day = '01/02/2024';
CALL pg_tviews_drain();
SELECT key FROM pg_tview_dead_letter;
SELECT error_of($$SELECT pg_tviews_wait('day', key => '01/02/2024')$$);
SELECT error_of($$SELECT pg_tviews_wait('day', date '01/02/2024')$$);
SET datestyle = 'German';
SELECT error_of($$SELECT pg_tviews_wait('day', key => '01.02.2024')$$);
SELECT pg_tviews_wait('day', key => '02.01.2024');
SET datestyle = 'ISO, MDY';
SELECT pg_tviews_retry('day');
UPDATE tb_day SET n = 5 WHERE n = 0;
CALL pg_tviews_drain();
SELECT * FROM tv_day ORDER BY 1;
SELECT count(*) FROM pg_tview_dead_letter;

-- Numbers of any length, of any scale; texts that are equal.
UPDATE tb_pair SET n = 2;
SELECT left(key::text, 60), md5(key_text) FROM pg_tviews_pending('pair', ARRAY['{"a": 12345678901234567890.10, "b": "KEY"}', '{"a": 1e400, "b": "X"}']) ORDER BY length(key_text);
SELECT count(*) FROM pg_tviews_pending('pair', ARRAY['{"a": 12345678901234567890.3, "b": "key"}']);
SELECT length(key ->> 'a'), key ->> 'b' FROM pg_tviews_affected('pair', 'tb_pair', '[{"a": 1e400}, {"a": "12345678901234567890.2"}, {"a": 1.5}]');
CALL pg_tviews_drain();
UPDATE tb_pair SET n = 0 WHERE a = 1.5;
CALL pg_tviews_drain();
SELECT key FROM pg_tview_dead_letter;
UPDATE tb_pair SET a = 1.5000, b = 'Y', n = 3 WHERE a = 1.5;
SELECT error_of($$SELECT pg_tviews_wait('pair', key => '{"a": 1.5, "b": "Y"}', timeout => '0')$$);
CALL pg_tviews_drain();
SELECT * FROM tv_pair WHERE a < 2;
SELECT count(*) FROM pg_tview_dead_letter;

-- Digits and instants that the session would not show.
SET extra_float_digits = -15;
SET timezone = 'Asia/Kolkata';
SET datestyle = 'Postgres, DMY';
UPDATE tb_float SET n = 2;
SELECT key, key_text FROM pg_tviews_pending('float') ORDER BY key_text;
SELECT key, key_text FROM pg_tviews_pending('at') ORDER BY key_text;
SELECT key_text FROM pg_tviews_pending('at', ARRAY['02/01/2024 08:34:05.678901 IST', '2024-01-02 03:04:05.678901 GMT']);
SELECT regexp_replace(error_of($$SELECT pg_tviews_wait('float', f, '0') FROM tb_float WHERE f > 0.2$$), 'DETAIL.*|HINT.*', '');
CALL pg_tviews_drain();
SELECT pg_tviews_wait('float', f, '0'), pg_tviews_wait('at', at, '0') FROM tb_float;

-- A relation is found by the search_path of the session, and travels as its OID.
SELECT pg_tviews_refresh('rel', '{tb_day,pg_class}');
SELECT key_text::oid::regclass FROM pg_tviews_pending('rel') ORDER BY 1;
CALL pg_tviews_drain();
SELECT pg_tviews_drop('day');
CREATE TABLE gone (x int);
INSERT INTO tb_rel VALUES ('gone', 1);
CALL pg_tviews_drain();
SELECT pg_tviews_refresh('rel', '{gone}');
DROP TABLE gone;
UPDATE tb_rel SET n = 2;
CALL pg_tviews_drain();
SELECT count(*), sum(n) FROM tv_rel;
DELETE FROM tb_rel WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = rel);
CALL pg_tviews_drain();
SELECT rel, n FROM tv_rel ORDER BY rel;
SELECT DISTINCT state FROM pg_tview_meta WHERE entity_name IN ('rel', 'pair', 'float', 'at');

RESET ALL;
SET search_path = keys_users_give, public;
SET client_min_messages = warning;
SELECT pg_tviews_drop(name) FROM unnest('{pair,float,at,rel}'::text[]) name;
DROP SCHEMA keys_users_give CASCADE;
