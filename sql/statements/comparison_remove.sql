-- No comparison of the TVIEW (parameter 1) is running, or is running any longer.
DELETE FROM @extschema@.pg_tview_comparison WHERE tview_oid = $1
