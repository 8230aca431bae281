-- No comparison of TVIEW $1 is under way (any more).
DELETE FROM @extschema@.pg_tview_comparison WHERE tview_oid = $1
