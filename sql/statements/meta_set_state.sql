UPDATE @extschema@.pg_tview_definition SET state = $2 WHERE tview_oid = $1 AND state <> $2
