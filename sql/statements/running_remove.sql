-- Deletes all stored groups of the TVIEW (parameter 1). How often they have helped stays.
WITH groups AS (
    DELETE FROM @extschema@.pg_tview_running WHERE tview_oid = $1
)
UPDATE @extschema@.pg_tview_running_position SET position = NULL WHERE tview_oid = $1 AND position IS NOT NULL
