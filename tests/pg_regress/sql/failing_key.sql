-- Division by zero for one key: other TVIEWs go on, the error is in the audit, and it heals when the data is mended.
SET client_min_messages = warning;
CREATE SCHEMA failing_key;
SET search_path = failing_key, public;

CREATE TABLE tb_part (pk_part int PRIMARY KEY, total int, pieces int);
INSERT INTO tb_part SELECT i, 100, i FROM generate_series(1, 5) AS i;
SELECT pg_tviews_create('part', 'SELECT pk_part, total / pieces AS each FROM tb_part');
SELECT pg_tviews_create('plain', 'SELECT pk_part AS id, total, pieces FROM tb_part');
CALL pg_tviews_drain();
UPDATE tb_part SET pieces = 0 WHERE pk_part = 3;
UPDATE tb_part SET total = 200;
CALL pg_tviews_drain();
SELECT same('v_plain', 'tv_plain');
SELECT pk_part, each FROM tv_part WHERE pk_part = 3;
SELECT entity_name, operation, status, sqlstate, message FROM pg_tview_meta_audit WHERE tview_oid = 'tv_part'::regclass AND sqlstate IS NOT NULL ORDER BY audit_id LIMIT 1;
SELECT entity_name, last_error FROM pg_tview_status WHERE tview_oid = 'tv_part'::regclass;
UPDATE tb_part SET pieces = 3 WHERE pk_part = 3;
CALL pg_tviews_drain();
SELECT same('v_part', 'tv_part');
SELECT count(*) FROM pg_tview_queue;
-- A failing view does not stop a writer, nor a creation of others.
SELECT error_of($$SELECT pg_tviews_create('zero', 'SELECT pk_part AS id, 1 / (pk_part - 1) AS q FROM tb_part')$$);

DROP SCHEMA failing_key CASCADE;
