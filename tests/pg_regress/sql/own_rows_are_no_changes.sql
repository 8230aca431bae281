-- A TVIEW whose table another TVIEW reads: the rows that it writes are changes for the other one, and neither count as
-- its own changes nor make these look older than they are.
SET client_min_messages = warning;
CREATE SCHEMA own_rows;
SET search_path = own_rows, public;
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_shop int NOT NULL, amount int NOT NULL);
CREATE INDEX ON tb_sale (fk_shop);
INSERT INTO tb_sale SELECT i, i % 2, i FROM generate_series(1, 10) i;
SELECT pg_tviews_create('own_lower', 'SELECT fk_shop, sum(amount) AS total FROM tb_sale GROUP BY fk_shop', key_columns => '{fk_shop}');
SELECT pg_tviews_create('own_upper', 'SELECT fk_shop AS pk_own_upper, jsonb_build_object($$total$$, total) AS data FROM tv_own_lower');
CALL pg_tviews_drain();
UPDATE tb_sale SET amount = 100 WHERE pk_sale = 1;
CALL pg_tviews_drain();
UPDATE tb_sale SET amount = 200 WHERE pk_sale = 1;
CALL pg_tviews_drain('own_lower');
UPDATE tb_sale SET amount = 300 WHERE pk_sale = 1;
CALL pg_tviews_drain();
SELECT same('v_own_lower', 'tv_own_lower'), same('v_own_upper', 'tv_own_upper');
TABLE tv_own_upper ORDER BY 1;
SELECT entity_name, sum(changes_read) AS changes, sum(keys_refreshed) AS keys, count(oldest_change_at) AS with_age
  FROM pg_tview_meta_audit WHERE entity_name LIKE 'own\_%' AND operation = 'refresh' GROUP BY 1 ORDER BY 1;
-- Nor do the changes that led to them count as where later ones come from.
CREATE TEMP TABLE before AS SELECT max(audit_id) AS audit_id FROM pg_tview_meta_audit;
SET pg_tviews.origin = 'first'; UPDATE tb_sale SET amount = 400 WHERE pk_sale = 1; CALL pg_tviews_drain();
SET pg_tviews.origin = 'second'; UPDATE tb_sale SET amount = 500 WHERE pk_sale = 1; CALL pg_tviews_drain();
RESET pg_tviews.origin; UPDATE tb_sale SET amount = 600 WHERE pk_sale = 1; CALL pg_tviews_drain();
SET pg_tviews.origin = 'third'; SELECT pg_tviews_refresh('own_lower'); CALL pg_tviews_drain(); RESET pg_tviews.origin;
SELECT DISTINCT a.entity_name, a.changes_read, a.origins FROM pg_tview_meta_audit a, before
 WHERE a.audit_id > before.audit_id AND a.entity_name LIKE 'own\_%' AND operation = 'refresh' ORDER BY 1, 2, 3;
-- Nor does a comparison of all rows in batches, nor since when the TVIEW above is behind.
CREATE TABLE tb_many (pk_many int PRIMARY KEY, v int);
INSERT INTO tb_many SELECT i, 0 FROM generate_series(1, 25000) i; ANALYZE tb_many;
SELECT pg_tviews_create('own_many', 'SELECT pk_many, v FROM tb_many', key_columns => '{pk_many}'), pg_tviews_create('own_over', 'SELECT pk_many, v + 1 AS v FROM tv_own_many', key_columns => '{pk_many}');
CALL pg_tviews_drain();
-- What is written to the table directly is a change for the TVIEW above only.
SET pg_tviews.allow_table_writes = on; SET pg_tviews.origin = 'direct';
UPDATE tv_own_many SET v = 9 WHERE pk_many = 1;
RESET pg_tviews.allow_table_writes; RESET pg_tviews.origin;
CREATE TEMP TABLE mark AS SELECT clock_timestamp() AS at, max(audit_id) AS audit_id FROM pg_tview_meta_audit;
-- A transaction that sees its own changes writes rows, and requests them.
BEGIN;
UPDATE tb_many SET v = 1 WHERE pk_many <= 7;
SELECT count(*) FROM tv_own_many WHERE v = 1;
COMMIT;
SELECT pg_tviews_refresh('own_many');
SELECT pending_since > at AS is_younger, count(*) FROM pg_tviews_pending('own_over'), mark GROUP BY 1 ORDER BY 1;
CALL pg_tviews_drain();
SELECT DISTINCT a.operation, a.changes_read, a.oldest_change_at > mark.at AS is_younger, a.origins FROM pg_tview_meta_audit a, mark
 WHERE a.audit_id > mark.audit_id AND a.entity_name = 'own_many' ORDER BY 1, 2;
SELECT pg_tviews_drop('own_over'), pg_tviews_drop('own_many');
DELETE FROM pg_tview_meta_audit WHERE entity_name LIKE 'own\_%';
SELECT pg_tviews_drop('own_upper'), pg_tviews_drop('own_lower');
DROP SCHEMA own_rows CASCADE;
