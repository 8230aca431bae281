-- One audit row; with a position ($15) it moves the TVIEW's position.
INSERT INTO @extschema@.pg_tview_meta_audit
    (entity_name, tview_oid, operation, status, changes_read, keys_refreshed, rows_inserted, rows_updated,
     rows_deleted, rows_unchanged, oldest_change_at, started_at, finished_at, worker_pid, sqlstate, message,
     details, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp(), pg_backend_pid(), $13, $14,
        $16::jsonb, $15::pg_snapshot)
