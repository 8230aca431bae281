UPDATE @extschema@.pg_tview_definition SET refresh_group = $2 WHERE tview_oid = $1
