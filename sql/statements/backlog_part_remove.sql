-- Deletes the parts of the backlog of the TVIEW (parameter 1). The backlog is not shared, or is shared no
-- longer.
DELETE FROM @extschema@.pg_tview_backlog_part WHERE tview_oid = $1
