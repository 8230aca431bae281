-- Part $2 of the backlog of TVIEW $1 is applied: rows inserted, updated, deleted and left alone.
UPDATE @extschema@.pg_tview_backlog_part
   SET worker_pid = pg_backend_pid(), finished_at = clock_timestamp(),
       rows_inserted = $3, rows_updated = $4, rows_deleted = $5, rows_unchanged = $6
 WHERE tview_oid = $1 AND part = $2
