-- Deletes the definition of the TVIEW (parameter 1), its dead keys and its running comparison.
WITH dead AS (DELETE FROM @extschema@.pg_tview_dead_letter WHERE tview_oid = $1),
     compared AS (DELETE FROM @extschema@.pg_tview_comparison WHERE tview_oid = $1)
DELETE FROM @extschema@.pg_tview_definition WHERE tview_oid = $1
