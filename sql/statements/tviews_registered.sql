-- All TVIEWs except those that a restore has brought. These are registered again when the restore is
-- complete.
SELECT m.tview_oid::oid
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class t ON t.oid = m.tview_oid
 WHERE EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = m.tview_oid AND a.operation IN ('create', 'redefine'))
