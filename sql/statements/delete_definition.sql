-- The definition of TVIEW $1, and its dead keys.
WITH dead AS (DELETE FROM @extschema@.pg_tview_dead_letter WHERE tview_oid = $1)
DELETE FROM @extschema@.pg_tview_definition WHERE tview_oid = $1
