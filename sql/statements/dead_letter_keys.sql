-- The dead keys of the TVIEW (parameter 1), as JSON texts.
SELECT d.key::text FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = $1
