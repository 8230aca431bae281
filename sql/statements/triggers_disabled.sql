-- Capture triggers that do not always fire. Their tables are altered by the running ALTER TABLE, or are below
-- such a table. Columns: table, name, whether the trigger never fires. Also the trigger of the extension that
-- pg_restore --disable-triggers has turned into an ordinary trigger.
WITH RECURSIVE touched AS (
    SELECT objid FROM pg_catalog.pg_event_trigger_ddl_commands()
     WHERE command_tag = 'ALTER TABLE' AND classid = 'pg_catalog.pg_class'::regclass
    UNION
    SELECT i.inhrelid FROM touched JOIN pg_catalog.pg_inherits i ON i.inhparent = touched.objid
)
SELECT t.tgrelid, t.tgname::text, t.tgenabled = 'D'
  FROM touched
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = touched.objid
 WHERE t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure AND t.tgenabled <> 'A'
UNION ALL
SELECT t.tgrelid, t.tgname::text, false
  FROM touched
  JOIN pg_catalog.pg_trigger t ON t.tgrelid = touched.objid
 WHERE t.tgrelid = '@extschema@.pg_tview_definition'::pg_catalog.regclass AND t.tgname = 'pg_tviews_added' AND t.tgenabled IN ('O', 'R')
 ORDER BY 1, 2
