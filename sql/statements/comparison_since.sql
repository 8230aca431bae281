-- When the oldest change was made that the comparison of the TVIEW (parameter 1) is for.
SELECT least(oldest_change_at, again_change_at) FROM @extschema@.pg_tview_comparison WHERE tview_oid = $1
