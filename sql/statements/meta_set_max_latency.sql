UPDATE @extschema@.pg_tview_definition SET max_latency = $2 WHERE tview_oid = $1
