-- The comparison of the TVIEW (parameter 1) writes a stage (parameter 2) in this run of the server (parameter 3).
UPDATE @extschema@.pg_tview_comparison SET stage = $2, server_run = $3 WHERE tview_oid = $1
