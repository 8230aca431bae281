-- A paused TVIEW keeps its changes, the others go on.
SET client_min_messages = warning;
CREATE SCHEMA pause_resume;
SET search_path = pause_resume, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('shout', 'SELECT pk_user AS id, upper(name) AS name FROM tb_user');
CALL pg_tviews_drain();
SELECT pg_tviews_pause('user');
SELECT entity_name, state FROM pg_tview_meta WHERE tview_oid::text IN (SELECT name FROM traces WHERE kind = 'TVIEW') ORDER BY 1;
UPDATE tb_user SET name = 'Anne';
CALL pg_tviews_drain();
TABLE tv_user;
TABLE tv_shout;
SELECT source_oid, operation, keys FROM pg_tview_queue;
SELECT entity_name, state, pending_changes > 0 AS pending FROM pg_tview_status WHERE tview_oid IN ('tv_user'::regclass, 'tv_shout'::regclass) ORDER BY 1;
-- Pausing twice, draining it by name, waiting for it.
SELECT pg_tviews_pause('user');
SELECT error_of($$SELECT pg_tviews_wait('user', '1 second')$$);
CALL pg_tviews_drain('user');
TABLE tv_user;
-- A rolled-back resume is none.
BEGIN; SELECT pg_tviews_resume('user'); ROLLBACK;
CALL pg_tviews_drain();
TABLE tv_user;
SELECT pg_tviews_resume('user');
SELECT pg_tviews_resume('user');
CALL pg_tviews_drain();
TABLE tv_user;
SELECT count(*) FROM pg_tview_queue;
SELECT entity_name, state FROM pg_tview_meta WHERE tview_oid::text IN (SELECT name FROM traces WHERE kind = 'TVIEW') ORDER BY 1;
-- Redefined and truncated while paused.
SELECT pg_tviews_pause('user');
TRUNCATE tb_user;
INSERT INTO tb_user VALUES (2, 'Bob');
SELECT pg_tviews_resume('user');
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout');
SELECT error_of($$SELECT pg_tviews_pause('nobody')$$);
SELECT error_of($$SELECT pg_tviews_resume('nobody')$$);
SELECT entity_name, operation, status FROM pg_tview_meta_audit WHERE tview_oid = 'tv_user'::regclass AND operation ILIKE ANY ('{%pause%,%resume%}') ORDER BY audit_id;

DROP SCHEMA pause_resume CASCADE;
