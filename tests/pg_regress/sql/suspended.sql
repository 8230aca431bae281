-- A view that fails whatever the key: its TVIEW waits, says why, and goes on by itself when the view works again.
SET client_min_messages = warning;
CREATE SCHEMA suspended;
SET search_path = suspended, public;

CREATE TABLE tb_rate (pk_rate int PRIMARY KEY, percent int);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, price int);
INSERT INTO tb_rate VALUES (1, 50);
INSERT INTO tb_order SELECT i, 100 * i FROM generate_series(1, 300) AS i;
SELECT pg_tviews_create('order', 'SELECT pk_order, price * 100 / (SELECT percent FROM tb_rate WHERE pk_rate = 1) AS net FROM tb_order');
SELECT pg_tviews_create('price', 'SELECT pk_order AS id, price FROM tb_order');
CREATE VIEW now AS SELECT state, pending_changes > 0 AS pending, within_bound, dead_letter_keys, last_error FROM pg_tview_status WHERE tview_oid = 'tv_order'::regclass;
CREATE VIEW story AS
SELECT operation, status, sqlstate, message, details ->> 'reason' AS reason FROM pg_tview_meta_audit
 WHERE tview_oid = 'tv_order'::regclass AND (operation IN ('suspend', 'resume') OR status <> 'SUCCESS') ORDER BY audit_id;

UPDATE tb_rate SET percent = 0;
CALL pg_tviews_drain();
SELECT * FROM now;
-- Changes wait; other TVIEWs go on; it is said once.
UPDATE tb_order SET price = 7 WHERE pk_order = 7;
CALL pg_tviews_drain();
SELECT same('v_price', 'tv_price');
SELECT * FROM now;
SELECT * FROM story;
SELECT error_of($$SELECT pg_tviews_wait('order')$$);
UPDATE tb_rate SET percent = 25;
CALL pg_tviews_drain();
SELECT * FROM now;
SELECT * FROM story;
SELECT same('v_order', 'tv_order');

-- What a function needs is gone, and comes back.
CREATE OR REPLACE FUNCTION fee(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT percent FROM suspended.tb_rate WHERE pk_rate = $1); END';
SET client_min_messages = error;
SELECT pg_tviews_create('fee', 'SELECT pk_order AS id, price + fee(1) AS price FROM tb_order');
SET client_min_messages = warning;
ALTER TABLE tb_rate RENAME percent TO percentage;
UPDATE tb_order SET price = 8 WHERE pk_order = 8;
CALL pg_tviews_drain();
SELECT state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_fee'::regclass;
SELECT same('v_order', 'tv_order');
ALTER TABLE tb_rate RENAME percentage TO percent;
CALL pg_tviews_drain();
SELECT state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_fee'::regclass;
SELECT same('v_fee', 'tv_fee');

-- The view itself is dropped, and made again.
DROP VIEW v_fee;
UPDATE tb_order SET price = 9 WHERE pk_order = 9;
CALL pg_tviews_drain();
SELECT state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_fee'::regclass;
SELECT pg_tviews_pause('fee');
SELECT pg_tviews_resume('fee');
CALL pg_tviews_drain('fee');
CREATE VIEW v_fee AS SELECT pk_order AS id, price + 1 AS price FROM tb_order;
CALL pg_tviews_drain();
SELECT state, last_error FROM pg_tview_status WHERE tview_oid = 'tv_fee'::regclass;
SELECT same('v_fee', 'tv_fee');

DROP SCHEMA suspended CASCADE;
