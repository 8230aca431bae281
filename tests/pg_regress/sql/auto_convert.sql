-- Plan and conversion of every tv_* table of a schema; one that fails never stops the others.
SET client_min_messages = warning;
CREATE SCHEMA auto_convert;
SET search_path = auto_convert, public;

CREATE TABLE tb_user (pk_user bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE, email text NOT NULL, name text NOT NULL);
CREATE TABLE tb_post (pk_post bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE, fk_user bigint NOT NULL REFERENCES tb_user, title text NOT NULL);
CREATE TABLE tb_bare (pk_bare int PRIMARY KEY, label text);
CREATE TABLE tb_custom (pk_custom int PRIMARY KEY, label text);
CREATE TABLE tb_broken (pk_broken int PRIMARY KEY, label text);
CREATE TABLE tb_no_tv (pk_no_tv int PRIMARY KEY);
CREATE TABLE tv_user (pk_user bigint PRIMARY KEY, data jsonb NOT NULL, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now());
CREATE TABLE tv_post (pk_post bigint PRIMARY KEY, id uuid, fk_user bigint, data jsonb NOT NULL);
CREATE TABLE tv_bare (pk_bare int PRIMARY KEY, data jsonb);
CREATE TABLE tv_custom (pk_custom int PRIMARY KEY, data jsonb);
CREATE VIEW v_custom AS SELECT pk_custom, jsonb_build_object('custom', upper(label)) AS data FROM tb_custom;
CREATE TABLE tv_orphan (pk_orphan int PRIMARY KEY, data jsonb);
CREATE TABLE tv_broken (data jsonb);
CREATE VIEW v_broken AS SELECT label FROM tb_broken;
INSERT INTO tb_user OVERRIDING SYSTEM VALUE VALUES (1, '00000000-0000-0000-0000-000000000001', 'ann@example.org', 'Ann');
INSERT INTO tb_post OVERRIDING SYSTEM VALUE VALUES (10, '00000000-0000-0000-0000-00000000000a', 1, 'one');
INSERT INTO tb_bare VALUES (1, 'x');
INSERT INTO tb_custom VALUES (1, 'x');

SELECT * FROM pg_tviews_auto_convert_plan() ORDER BY entity;
SELECT * FROM traces ORDER BY 1, 2;
SELECT * FROM pg_tviews_auto_convert() ORDER BY entity;
SELECT * FROM traces ORDER BY 1, 2;
SELECT entity_name, key_columns FROM pg_tview_meta WHERE tview_oid::text IN (SELECT name FROM traces WHERE kind = 'TVIEW') ORDER BY 1;
-- The triggers are left to what fills the tables, whatever this session has read of the TVIEW before.
SELECT * FROM pg_tviews_check('user');
SELECT status, message FROM pg_tviews_health_check() WHERE component = 'capture triggers' AND message LIKE '%tb_user%';
CALL pg_tviews_drain();
SELECT status, message FROM pg_tviews_health_check() WHERE component = 'capture triggers';
SELECT * FROM traces WHERE kind = 'trigger' ORDER BY 1, 2;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('tv_user'::regclass, 'tv_post'::regclass) ORDER BY 1, 2;
SELECT pk_user, data FROM tv_user;
TABLE tv_post;
TABLE tv_bare;
TABLE tv_custom;
SELECT regexp_replace(pg_get_viewdef('v_post'), '\mb\.', '', 'g') AS view;
SELECT regexp_replace(pg_get_viewdef('v_custom'), '\mtb_custom\.', '', 'g') AS view;
-- Again: harmless.
SELECT entity, action, reason FROM pg_tviews_auto_convert_plan('auto_convert') ORDER BY entity;
SELECT * FROM pg_tviews_auto_convert('auto_convert') ORDER BY entity;
-- The failing one is mended.
DROP VIEW v_broken;
DROP TABLE tv_broken;
CREATE TABLE tv_broken (pk_broken int PRIMARY KEY, data jsonb);
SELECT * FROM pg_tviews_auto_convert() WHERE entity = 'broken';
-- They follow.
UPDATE tb_user SET name = 'Anne';
INSERT INTO tb_post OVERRIDING SYSTEM VALUE VALUES (11, '00000000-0000-0000-0000-00000000000b', 1, 'two');
INSERT INTO tb_broken VALUES (1, 'mended');
UPDATE tb_custom SET label = 'y';
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post'), same('v_broken', 'tv_broken'), same('v_custom', 'tv_custom');
SELECT pk_user, data FROM tv_user;
-- Dropped, the view of an application stays.
SELECT pg_tviews_drop(entity) FROM unnest('{user,post,bare,custom,broken}'::text[]) AS entity;
SELECT * FROM traces ORDER BY 1, 2;
-- Other schemas.
SELECT * FROM pg_tviews_auto_convert_plan('pg_catalog');
SELECT error_of($$SELECT * FROM pg_tviews_auto_convert_plan('no_such_schema')$$);
SELECT error_of($$SELECT * FROM pg_tviews_auto_convert('no_such_schema')$$);

DROP SCHEMA auto_convert CASCADE;
