DELETE FROM @extschema@.pg_tview_dead_letter WHERE tview_oid = $1
