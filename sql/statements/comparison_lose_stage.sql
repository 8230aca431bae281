-- The stage of the TVIEW (parameter 1), if there is one, is to be made again: its comparison begins again. Returns whether there
-- is one.
UPDATE @extschema@.pg_tview_comparison SET server_run = NULL WHERE tview_oid = $1 AND stage IS NOT NULL RETURNING true
