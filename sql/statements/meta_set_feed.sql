UPDATE @extschema@.pg_tview_definition SET feed = $2 WHERE tview_oid = $1
