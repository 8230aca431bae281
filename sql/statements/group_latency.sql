-- The latency of a group of TVIEWs (parameter 1), that of its slowest member: the 50th and the 95th percentile of the
-- time from commit to visible, of the newest 1000 refreshes of each.
SELECT max(latency.p50), max(latency.p95)
  FROM unnest($1) member(tview_oid)
 CROSS JOIN LATERAL (
        SELECT percentile_cont(0.50) WITHIN GROUP (ORDER BY ms) AS p50,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95
          FROM (SELECT 1000 * extract(epoch FROM a.finished_at - a.oldest_change_at)::float8 AS ms
                  FROM @extschema@.pg_tview_meta_audit a
                 WHERE a.tview_oid BETWEEN member.tview_oid AND member.tview_oid
                   AND a.oldest_change_at IS NOT NULL AND a.position IS NOT NULL
                 ORDER BY a.tview_oid DESC, a.audit_id DESC
                 LIMIT 1000) recent) latency
