-- TVIEWs whose rows may differ after the running command. The command touched their table, their backing
-- view, a table of parameter 1, or an object that any of these depends on, directly or indirectly. TVIEWs
-- that a restore has brought are left out. They are registered again when the restore is complete.
WITH RECURSIVE seed (class, object) AS (
    SELECT c.classid, c.objid
      FROM pg_catalog.pg_event_trigger_ddl_commands() c
     WHERE c.classid IS NOT NULL
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, above.oid
      FROM unnest($1) above(oid)
), @touched@
SELECT tview.oid
  FROM tview
  JOIN pg_catalog.pg_class t ON t.oid = tview.oid
 WHERE EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = tview.oid AND a.operation IN ('create', 'redefine'))
