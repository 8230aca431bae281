DELETE FROM @extschema@.pg_tview_meta WHERE tview_oid = $1
