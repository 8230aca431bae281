-- pg_tviews_lint and pg_tviews.allow_full: what will be slow, late, or not followed.
CREATE SCHEMA lint;
SET search_path = lint, public;
CREATE TABLE tb_country (pk_country bigint PRIMARY KEY, name text);
CREATE TABLE tb_user (pk_user bigint PRIMARY KEY, fk_country bigint, name text);
INSERT INTO tb_country VALUES (1, 'France');
INSERT INTO tb_user SELECT n, 1, 'user ' || n FROM generate_series(1, 12000) n;
ANALYZE tb_country, tb_user;

-- Nothing to find but what is asked for.
SELECT pg_tviews_create('country', 'SELECT pk_country, name FROM tb_country', max_latency => '1 s');
SELECT * FROM pg_tviews_lint('lint');

-- A row of which so many depend that an index would not help; no bound.
SELECT pg_tviews_create('user', 'SELECT u.pk_user, u.name, c.name AS country FROM tb_user u JOIN tb_country c ON c.pk_country = u.fk_country');
ANALYZE tv_user;
SELECT tview_oid, rule, severity, source, message, hint FROM pg_tviews_lint('lint') \gx
CREATE INDEX ON tb_user (fk_country);
UPDATE pg_tview_meta SET max_latency = '1 s' WHERE entity_name = 'user';
SELECT rule, source FROM pg_tviews_lint('lint');

-- A missing index.
CREATE TABLE tb_city (pk_city bigint PRIMARY KEY, name text);
CREATE TABLE tb_shop (pk_shop bigint PRIMARY KEY, fk_city bigint);
INSERT INTO tb_city SELECT n, 'city ' || n FROM generate_series(1, 1000) n;
INSERT INTO tb_shop SELECT n, 1 + n % 1000 FROM generate_series(1, 12000) n;
ANALYZE tb_city, tb_shop;
SELECT pg_tviews_create('shop', 'SELECT s.pk_shop, c.name FROM tb_shop s JOIN tb_city c ON c.pk_city = s.fk_city', max_latency => '1 s');
SELECT rule, message, hint FROM pg_tviews_lint('lint') WHERE tview_oid = 'tv_shop'::regclass \gx
SELECT pg_tviews_drop('shop');
DROP TABLE tb_shop, tb_city;

-- Sources that are compared in full, and values that are not followed.
SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name, now() AS at FROM tb_user ORDER BY pk_user LIMIT 3', max_latency => '1 s');
SELECT tview_oid, rule, severity, source, message, hint FROM pg_tviews_lint('lint') WHERE tview_oid = 'tv_top'::regclass \gx

-- A view that is missing.
DROP VIEW v_top;
SELECT tview_oid, rule, severity, message, hint FROM pg_tviews_lint('lint') WHERE tview_oid = 'tv_top'::regclass \gx
SELECT pg_tviews_drop('top');

-- All schemas, no schema, a schema that does not exist.
SELECT count(*) > 0 FROM pg_tviews_lint() WHERE tview_oid = 'tv_user'::regclass;
SELECT * FROM pg_tviews_lint('public');
SELECT * FROM pg_tviews_lint('missing');

-- A role sees its own TVIEWs, and locks nothing that others own.
CREATE ROLE regress_lint;
GRANT USAGE ON SCHEMA lint TO regress_lint;
BEGIN;
SET LOCAL ROLE regress_lint;
SELECT count(*) FROM pg_tviews_lint();
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'tb_user'::regclass;
COMMIT;
DROP OWNED BY regress_lint;
DROP ROLE regress_lint;

-- Refused where full comparisons are not allowed: nothing is created.
SET client_min_messages = notice;
\set VERBOSITY default
SET pg_tviews.allow_full = off;
SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name FROM tb_user ORDER BY pk_user LIMIT 3');
SELECT pg_tviews_create('rank', 'SELECT pk_user AS pk_rank, rank() OVER (ORDER BY name) AS place FROM tb_user');
SELECT to_regclass('v_top'), to_regclass('tv_top'), to_regclass('tv_rank');
SELECT pg_tviews_create('user', 'SELECT u.pk_user, u.name, c.name AS country FROM tb_user u JOIN tb_country c ON c.pk_country = u.fk_country');
-- For one call.
SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name FROM tb_user ORDER BY pk_user LIMIT 3', allow_full => 'on');
-- It is there: the same call is no error. Another definition is.
SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name FROM tb_user ORDER BY pk_user LIMIT 3');
SELECT pg_tviews_create('top', 'SELECT pk_user AS pk_top, name FROM tb_user ORDER BY pk_user LIMIT 4');
SELECT count(*) FROM tv_top;
-- A conversion reports it.
CREATE VIEW v_first AS SELECT pk_user AS pk_first, name FROM tb_user ORDER BY pk_user LIMIT 2;
CREATE TABLE tv_first (pk_first bigint PRIMARY KEY, name text);
SELECT entity, status, message FROM pg_tviews_auto_convert('lint') WHERE entity = 'first';
-- On: nothing is said.
SET pg_tviews.allow_full = on;
SELECT pg_tviews_create('first');
SET pg_tviews.allow_full = perhaps;
SELECT pg_tviews_create('first', allow_full => 'perhaps');
RESET pg_tviews.allow_full;
SELECT pg_tviews_create('first', allow_full => 'off');
SELECT pg_tviews_create('first', allow_full => 'notice');

RESET client_min_messages;
SELECT pg_tviews_drop(n) FROM unnest('{country,user,top,first}'::text[]) n;
SET search_path = public;
DROP SCHEMA lint CASCADE;
