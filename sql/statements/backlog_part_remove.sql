-- The backlog of TVIEW $1 is not shared (any more).
DELETE FROM @extschema@.pg_tview_backlog_part WHERE tview_oid = $1
