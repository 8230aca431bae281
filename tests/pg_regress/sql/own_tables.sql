-- The tables of the extension keep their names, schema and columns; whatever becomes of them, no change is dropped.
SET client_min_messages = warning;
CREATE SCHEMA own_tables;
SET search_path = own_tables, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
\pset format unaligned
\pset tuples_only on
SELECT error_of($$ALTER TABLE pg_tview_queue ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_queue RENAME COLUMN keys TO k$$);
SELECT error_of($$ALTER TABLE pg_tview_queue DROP COLUMN enqueued_at$$);
SELECT error_of($$ALTER TABLE pg_tview_meta_audit ADD COLUMN note text, ADD COLUMN more text$$);
SELECT error_of($$ALTER TABLE pg_tview_dead_letter ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_definition ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_backlog_part ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_comparison ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_change ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_acknowledgement ADD COLUMN note text$$);
SELECT error_of($$ALTER TABLE pg_tview_queue RENAME TO queue$$);
SELECT error_of($$ALTER TABLE pg_tview_queue RENAME TO pg_tview_definition_2$$);
SELECT error_of($$ALTER TABLE pg_tview_comparison SET SCHEMA own_tables$$);
-- How they are stored is the DBA's business.
ALTER TABLE pg_tview_queue SET (autovacuum_vacuum_threshold = 4000);
ALTER TABLE pg_tview_queue SET (autovacuum_vacuum_threshold = 5000);
ALTER TABLE pg_tview_meta_audit ALTER COLUMN operation SET STATISTICS 10;
ALTER TABLE pg_tview_meta_audit ALTER COLUMN operation SET STATISTICS -1;
ALTER TABLE pg_tview_dead_letter SET (fillfactor = 90);
ALTER TABLE pg_tview_dead_letter RESET (fillfactor);
ALTER TABLE pg_tview_definition SET (fillfactor = 90);
ALTER TABLE pg_tview_definition RESET (fillfactor);
ALTER TABLE pg_tview_comparison SET (fillfactor = 90);
ALTER TABLE pg_tview_comparison RESET (fillfactor);
ALTER TABLE pg_tview_backlog_part SET (fillfactor = 90);
ALTER TABLE pg_tview_backlog_part RESET (fillfactor);
ALTER TABLE pg_tview_change SET (autovacuum_vacuum_threshold = 1000);
ALTER TABLE pg_tview_subscription SET (fillfactor = 90);
ALTER TABLE pg_tview_subscription RESET (fillfactor);
ALTER TABLE pg_tview_acknowledgement SET (fillfactor = 90);
ALTER TABLE pg_tview_acknowledgement RESET (fillfactor);
ALTER TABLE pg_tview_lost_consumer SET (fillfactor = 90);
ALTER TABLE pg_tview_lost_consumer RESET (fillfactor);
ALTER TABLE pg_tview_revision SET (fillfactor = 90);
ALTER TABLE pg_tview_revision RESET (fillfactor);
-- Where nobody listens, columns are found by name.
BEGIN;
ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE;
ALTER TABLE pg_tview_queue ADD COLUMN note text;
INSERT INTO tb_user VALUES (1, 'Ann');
COMMIT;
CALL pg_tviews_drain();
TABLE tv_user;
-- One that is missing is an error of the write, not a lost change.
ALTER TABLE pg_tview_queue DROP COLUMN note;
ALTER TABLE pg_tview_queue RENAME COLUMN keys TO k;
INSERT INTO tb_user VALUES (2, 'Ben');
ALTER TABLE pg_tview_queue RENAME COLUMN k TO keys;
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
ALTER TABLE pg_tview_queue SET (autovacuum_vacuum_threshold = 5000);
INSERT INTO tb_user VALUES (3, 'Cid');
CALL pg_tviews_drain();
TABLE tv_user ORDER BY 1;
-- All of them can be replicated with their updates and deletes.
SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') AND c.relkind = 'r' AND c.relreplident <> 'f'
   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary);
-- What pg_tview_status costs does not have the planner compile it.
CREATE FUNCTION cost(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END
$$;
SELECT cost('SELECT * FROM pg_tview_status') < current_setting('jit_above_cost')::float8 / 100;

DROP SCHEMA own_tables CASCADE;
