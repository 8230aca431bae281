-- Rows of pg_tview_status for a role (parameter 1). There is one row per TVIEW whose owner's privileges the
-- role has. A member of pg_monitor gets one row for each TVIEW. Latency is the time from commit to visible,
-- of the newest 1000 refreshes.
SELECT m.entity_name,
       m.tview_oid,
       m.state,
       pending.changes                                          AS pending_changes,
       pending.oldest_at                                        AS oldest_pending_at,
       coalesce(clock_timestamp() - pending.oldest_at, interval '0') AS lag,
       bound.max_latency,
       coalesce(clock_timestamp() - pending.oldest_at <= bound.max_latency, true)
         AND m.state = 'active'                                 AS within_bound,
       (SELECT a.finished_at
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL AND a.operation <> 'give_up'
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1)                                               AS last_refresh_at,
       latency.p50                                              AS latency_p50_ms,
       latency.p95                                              AS latency_p95_ms,
       latency.p99                                              AS latency_p99_ms,
       coalesce(totals.total_refreshes, 0)                      AS refreshes,
       coalesce(totals.total_rows_written, 0)                   AS rows_written,
       (SELECT count(*) FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = m.tview_oid) AS dead_letter_keys,
       newest_outcome.error                                     AS last_error
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class r ON r.oid = m.tview_oid
 CROSS JOIN LATERAL (
        SELECT coalesce(m.max_latency,
                        pg_catalog.current_setting('pg_tviews.max_latency')::interval) AS max_latency) bound
  LEFT JOIN @extschema@.pg_tview_comparison c ON c.tview_oid = m.tview_oid
  LEFT JOIN LATERAL (
        SELECT a.position, a.operation, a.audit_id
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
  LEFT JOIN LATERAL @standing_still@ still ON true
 CROSS JOIN LATERAL (
        SELECT coalesce(sum(coalesce(jsonb_array_length(q.keys), 1)), 0)::bigint AS changes,
               least(min(q.enqueued_at), still.since, c.oldest_change_at, c.again_change_at) AS oldest_at
          FROM @extschema@.pg_tviews_queued((m.source_oids || m.tview_oid)::oid[], newest.position) q
         WHERE (q.operation = 'REFRESH') = (q.source_oid = m.tview_oid)) queued
 CROSS JOIN LATERAL (
        SELECT queued.oldest_at,
               -- What is in a stage is absorbed, and no reader sees it.
               queued.changes + CASE WHEN c.stage IS NULL THEN 0
                                     ELSE (SELECT coalesce(sum(a.changes_read), 0)::bigint
                                             FROM @extschema@.pg_tview_meta_audit a
                                            WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.audit_id > still.audit_id
                                              AND a.position IS NOT NULL) END AS changes) pending
  LEFT JOIN LATERAL (
        SELECT a.total_refreshes, a.total_rows_written
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.total_refreshes IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) totals ON true
 CROSS JOIN LATERAL (
        SELECT percentile_cont(0.50) WITHIN GROUP (ORDER BY ms) AS p50,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95,
               percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99
          FROM (SELECT 1000 * extract(epoch FROM a.finished_at - a.oldest_change_at)::float8 AS ms
                  FROM @extschema@.pg_tview_meta_audit a
                 WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid
                   AND a.oldest_change_at IS NOT NULL AND a.position IS NOT NULL
                 ORDER BY a.tview_oid DESC, a.audit_id DESC
                 LIMIT 1000) recent) latency
  LEFT JOIN LATERAL @newest_outcome@ newest_outcome ON newest_outcome.status <> 'SUCCESS'
 WHERE pg_has_role($1, r.relowner, 'USAGE') OR pg_has_role($1, 'pg_monitor', 'USAGE')
 ORDER BY m.tview_oid::oid
