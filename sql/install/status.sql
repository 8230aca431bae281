-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- One row per TVIEW that the reader owns; all TVIEWs for members of pg_monitor. The statement is inside a function, where JIT
-- is off: the planner overestimates its cost, and compiling it would take a hundred times as long as running it.
CREATE VIEW @extschema@.pg_tview_status AS
SELECT s.*, g.groups AS stored_groups, g.reads AS stored_group_reads, r.refresh_group, r.consistent,
       r.latency_p50_ms AS group_latency_p50_ms, r.latency_p95_ms AS group_latency_p95_ms,
       v.verified_at, v.verified_rows, coalesce(v.drifted_keys, 0) AS drifted_keys, v.unverified_because, v.unverified_rows
  FROM @extschema@.pg_tviews_status() s
 CROSS JOIN LATERAL @extschema@.pg_tviews_stored_groups(s.tview_oid) g
  LEFT JOIN @extschema@.pg_tviews_refresh_groups() r ON r.tview_oid = s.tview_oid
  LEFT JOIN @extschema@.pg_tview_verification v ON v.tview_oid = s.tview_oid;

-- Operations on TVIEWs that are running now, in all databases. The function returns the rows that the reader may see.
CREATE VIEW @extschema@.pg_tview_progress AS
SELECT p.pid, p.datid, d.datname, p.tview_oid, p.entity_name, p.operation, p.phase, p.keys_total, p.keys_done, p.rows_total,
       p.rows_read, p.rows_written, p.total_is_estimate, p.started_at, p.estimated_remaining
  FROM @extschema@.pg_tviews_progress() p
  LEFT JOIN pg_database d ON d.oid = p.datid;

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
