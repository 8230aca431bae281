-- The comparison of the TVIEW (parameter 1) writes the tv table, and begins again.
UPDATE @extschema@.pg_tview_comparison
   SET stage = NULL, server_run = NULL, compared_to = NULL, held_keys = NULL,
       rows_inserted = 0, rows_updated = 0, rows_deleted = 0, rows_unchanged = 0
 WHERE tview_oid = $1
