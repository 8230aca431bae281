-- to_regtypemod looks up a name, AT LOCAL depends on a setting that a TVIEW keeps.
\set ECHO none
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA since_17_session_values;
SET search_path = since_17_session_values, public;
SET client_min_messages = warning;
SET TimeZone = 'Asia/Tokyo';
CREATE TABLE tb_item (pk_item int PRIMARY KEY, type text, at timestamptz);
INSERT INTO tb_item VALUES (1, 'numeric(5,2)', '2026-01-01 12:00+00');
SELECT pg_tviews_create('item', 'SELECT pk_item, to_regtypemod(type) AS modifier FROM tb_item');
SELECT pg_tviews_create('local', 'SELECT pk_item AS pk_local, at AT LOCAL AS at FROM tb_item');
SET TimeZone = 'UTC';
UPDATE tb_item SET at = '2026-01-02 12:00+00', type = 'varchar(7)';
CALL pg_tviews_drain();
SELECT modifier FROM tv_item;
SELECT at FROM tv_local;
DROP SCHEMA since_17_session_values CASCADE;
