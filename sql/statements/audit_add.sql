-- Adds one audit row. With a position (parameter 15), the row moves the position of the TVIEW and continues
-- its totals. The totals start when the TVIEW is created, because its table may be older.
INSERT INTO @extschema@.pg_tview_meta_audit
    (entity_name, tview_oid, operation, status, changes_read, keys_refreshed, rows_inserted, rows_updated,
     rows_deleted, rows_unchanged, oldest_change_at, started_at, finished_at, worker_pid, sqlstate, message,
     details, position, total_refreshes, total_rows_written, origins)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp(), pg_backend_pid(), $13, $14,
       $16::jsonb, $15::pg_snapshot,
       CASE WHEN this.counts THEN coalesce(before.total_refreshes, 0) + this.is_refresh::int END,
       CASE WHEN this.counts THEN coalesce(before.total_rows_written, 0) + coalesce($7 + $8 + $9, 0) END, $17
  FROM (VALUES ($3 IN ('refresh', 'populate'), $15 IS NOT NULL OR $3 = 'create')) this(is_refresh, counts)
  LEFT JOIN LATERAL (
        SELECT a.total_refreshes, a.total_rows_written
          FROM @extschema@.pg_tview_meta_audit a
         WHERE this.counts AND $3 <> 'create' AND a.tview_oid BETWEEN $2 AND $2 AND a.total_refreshes IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) before ON true
RETURNING audit_id
