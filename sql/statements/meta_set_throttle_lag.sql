UPDATE @extschema@.pg_tview_definition SET throttle_lag = $2 WHERE tview_oid = $1
