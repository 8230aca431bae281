-- A view shows where a row is, or which transaction wrote it: an update that changes no column is followed, too. What moves or
-- locks rows without an update is not, and creation warns of that.
\set ECHO none
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA system_columns;
SET search_path = system_columns, public;

CREATE TABLE tb_row (pk_row int PRIMARY KEY, n int);
INSERT INTO tb_row VALUES (1, 1), (2, 2);
CREATE VIEW v_place AS SELECT pk_row AS pk_place, ctid::text AS place FROM tb_row;
CREATE VIEW v_writer AS SELECT pk_row AS pk_writer, xmin::text AS writer FROM tb_row;
CREATE VIEW v_version AS SELECT r.pk_row AS pk_version, concat_ws(' ', cmin, xmax, cmax) AS version FROM (SELECT *, cmin, xmax, cmax FROM tb_row) r;
CREATE VIEW v_table AS SELECT pk_row AS pk_table, tableoid AS of_table FROM tb_row;
CREATE VIEW v_row AS SELECT pk_row, to_jsonb(r) AS data FROM tb_row r;
SELECT pg_tviews_create('writer');
SELECT pg_tviews_create('table');
SELECT pg_tviews_create('row');
UPDATE tb_row SET n = n;
-- Nothing but xmin has changed.
SELECT source_oid, operation, keys FROM pg_tview_queue;
CALL pg_tviews_drain();
SELECT 'writer', same('v_writer', 'tv_writer');
SELECT pg_tviews_create('place');
SELECT pg_tviews_create('version');
UPDATE tb_row SET n = n WHERE pk_row = 1;
CALL pg_tviews_drain();
BEGIN;
UPDATE tb_row SET n = n WHERE pk_row = 2;
SELECT 'preview', same('v_place', 'tv_place');
COMMIT;
CALL pg_tviews_drain();
SELECT 'place', same('v_place', 'tv_place');
SELECT 'version', same('v_version', 'tv_version');
SELECT 'table', same('v_table', 'tv_table');

SET client_min_messages = warning;
DROP SCHEMA system_columns CASCADE;
