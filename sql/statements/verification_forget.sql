-- Removes what is stored of TVIEWs that were dropped.
DELETE FROM @extschema@.pg_tview_verification v
 WHERE NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = v.tview_oid)
