-- Marks a part of the backlog of a TVIEW as applied, with the rows inserted, updated, deleted and left
-- unchanged. Parameters: 1 the TVIEW, 2 the number of the part, 3 to 6 the counts.
UPDATE @extschema@.pg_tview_backlog_part
   SET worker_pid = pg_backend_pid(), finished_at = clock_timestamp(),
       rows_inserted = $3, rows_updated = $4, rows_deleted = $5, rows_unchanged = $6
 WHERE tview_oid = $1 AND part = $2
