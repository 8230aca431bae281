UPDATE @extschema@.pg_tview_definition SET fk_columns = $2 WHERE tview_oid = $1
