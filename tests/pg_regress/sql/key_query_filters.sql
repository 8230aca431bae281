-- Key queries leave out what is in no row of the view: conditions on tables that a way leads through.
SET client_min_messages = warning;
CREATE SCHEMA key_query_filters;
SET search_path = key_query_filters, public;
CREATE TABLE tb_hub (pk_hub int PRIMARY KEY, name text);
CREATE TABLE tb_a (pk_a int PRIMARY KEY, fk_hub int, active bool NOT NULL, n int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_hub int, kind text, n int);
INSERT INTO tb_hub VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_a SELECT i, 1, i <= 2, i FROM generate_series(1, 100) i;
INSERT INTO tb_b SELECT i, 1, CASE WHEN i <= 3 THEN 'x' ELSE 'y' END, i FROM generate_series(1, 100) i;
SELECT pg_tviews_create('pair', $$
    SELECT a.pk_a, b.pk_b, h.name, a.n + b.n AS n
      FROM tb_hub h JOIN tb_a a ON a.fk_hub = h.pk_hub JOIN tb_b b ON b.fk_hub = h.pk_hub
     WHERE a.active AND b.kind = 'x' AND a.n <> b.n AND 10 / b.n > 0 AND b.kind <> current_setting('application_name')
$$, key_columns => '{pk_a,pk_b}');
CALL pg_tviews_drain();
\x
-- Not those that may fail, nor those that may change without a row.
SELECT source, key_query FROM pg_tviews_explain('pair');
\x
SELECT * FROM pg_tviews_affected('pair', 'tb_hub', '[1]') ORDER BY 1;
UPDATE tb_hub SET name = 'renamed' WHERE pk_hub = 1;
CALL pg_tviews_drain();
SELECT keys_refreshed, rows_updated FROM pg_tview_meta_audit WHERE tview_oid = 'tv_pair'::regclass ORDER BY audit_id DESC LIMIT 1;
SELECT * FROM differences('v_pair', 'tv_pair');
-- Rows that the conditions let in, let out, and both at once with a change of the hub.
UPDATE tb_hub SET name = 'again' WHERE pk_hub = 1; UPDATE tb_a SET active = pk_a IN (2, 3); UPDATE tb_b SET kind = 'y' WHERE pk_b = 1;
CALL pg_tviews_drain();
SELECT * FROM differences('v_pair', 'tv_pair');
BEGIN; UPDATE tb_hub SET pk_hub = 3 WHERE pk_hub = 1; UPDATE tb_a SET active = NOT active, fk_hub = 3 WHERE pk_a < 5; UPDATE tb_b SET fk_hub = 3, kind = 'x' WHERE pk_b < 3; COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_pair', 'tv_pair');
BEGIN; DELETE FROM tb_hub WHERE pk_hub = 3; DELETE FROM tb_b WHERE pk_b = 2; UPDATE tb_a SET active = false WHERE pk_a = 3; COMMIT;
CALL pg_tviews_drain();
SELECT * FROM differences('v_pair', 'tv_pair');
-- Far more keys than rows: all is compared, which costs less than to look for each. The view has no row, whatever the keys.
INSERT INTO tb_hub VALUES (1, 'one');
UPDATE tb_a SET fk_hub = 1, active = true;
UPDATE tb_b SET fk_hub = 1, kind = 'x';
INSERT INTO tb_b SELECT i, 1, 'x', i FROM generate_series(101, 500) i;
ANALYZE tb_a, tb_b, tb_hub;
SELECT pg_tviews_create('none', $$
    SELECT a.pk_a, b.pk_b, h.name FROM tb_hub h JOIN tb_a a ON a.fk_hub = h.pk_hub JOIN tb_b b ON b.fk_hub = h.pk_hub
     WHERE EXISTS (SELECT FROM tb_hub e WHERE e.name = 'two' AND e.pk_hub = 1 AND e.pk_hub <> a.pk_a + b.pk_b)
$$, key_columns => '{pk_a,pk_b}');
CALL pg_tviews_drain();
UPDATE tb_hub SET name = 'renamed' WHERE pk_hub = 1;
CALL pg_tviews_drain();
SELECT keys_refreshed, rows_updated, status FROM pg_tview_meta_audit WHERE tview_oid = 'tv_none'::regclass ORDER BY audit_id DESC LIMIT 1;

DROP SCHEMA key_query_filters CASCADE;
