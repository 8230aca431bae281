-- Deletes all stored groups of the TVIEW (parameter 1).
WITH groups AS (
    DELETE FROM @extschema@.pg_tview_running WHERE tview_oid = $1
)
DELETE FROM @extschema@.pg_tview_running_position WHERE tview_oid = $1
