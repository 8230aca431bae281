-- The comparison of the TVIEW (parameter 1) is complete, but rows may have changed again in the meantime. The
-- comparison begins again for these changes.
UPDATE @extschema@.pg_tview_comparison
   SET populates = false, compared_to = NULL, held_keys = NULL, oldest_xid = again_xid, oldest_change_at = again_change_at,
       changes_read = again_changes, again_xid = NULL, again_change_at = NULL, again_changes = NULL,
       started_at = clock_timestamp(), batches = 0,
       rows_inserted = 0, rows_updated = 0, rows_deleted = 0, rows_unchanged = 0,
       sqlstate = NULL, message = NULL, details = NULL
 WHERE tview_oid = $1
