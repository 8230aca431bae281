-- One audit row per refresh and per management action.
SET client_min_messages = warning;
CREATE SCHEMA audit_rows;
SET search_path = audit_rows, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
CALL pg_tviews_drain();
INSERT INTO tb_user VALUES (3, 'Cid'), (4, 'Dot');
CALL pg_tviews_drain();
UPDATE tb_user SET name = 'Anne' WHERE pk_user = 1;
UPDATE tb_user SET name = 'Bobby' WHERE pk_user = 2;
CALL pg_tviews_drain();
DELETE FROM tb_user WHERE pk_user = 4;
INSERT INTO tb_user VALUES (5, 'Eve');
UPDATE tb_user SET name = upper(name) WHERE pk_user = 1;
CALL pg_tviews_drain();
CALL pg_tviews_drain();
SELECT pg_tviews_pause('user');
SELECT pg_tviews_resume('user');
SELECT pg_tviews_refresh('user');
CALL pg_tviews_drain();
SELECT pg_tviews_drop('user');
SELECT entity_name, operation, status, changes_read, keys_refreshed, rows_inserted, rows_updated, rows_deleted, rows_unchanged, sqlstate, message
  FROM pg_tview_meta_audit WHERE tview_oid = (SELECT tview_oid FROM pg_tview_meta_audit WHERE entity_name = 'user' ORDER BY audit_id DESC LIMIT 1) ORDER BY audit_id;
SELECT bool_and(started_at <= finished_at) AS ordered, bool_and(oldest_change_at <= finished_at) AS past, bool_and(worker_pid = pg_backend_pid()) AS by_this_session
  FROM pg_tview_meta_audit WHERE tview_oid = (SELECT tview_oid FROM pg_tview_meta_audit WHERE entity_name = 'user' ORDER BY audit_id DESC LIMIT 1) AND changes_read > 0;

DROP SCHEMA audit_rows CASCADE;
