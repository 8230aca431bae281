-- The TVIEWs that the role (parameter 1) is allowed to see. Columns:
-- - name, state, backing view, whether the view exists
-- - age of the oldest change not absorbed, for how long the rows stand still, bound (parameter 2 seconds by default)
-- - number of dead keys, why one of them is dead
-- - how the last refresh failed, rows that the newest refresh left out, hint of the failure
SELECT m.tview_oid::text,
       m.state,
       format('%I.%I', m.view_schema, m.view_name),
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_class v
                 JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
                WHERE v.relkind = 'v' AND v.relname = m.view_name AND n.nspname = m.view_schema),
       extract(epoch FROM clock_timestamp() - pending.oldest_at)::float8,
       extract(epoch FROM clock_timestamp() - still.since)::float8,
       coalesce(extract(epoch FROM m.max_latency)::float8, $2),
       dead.keys,
       dead.because,
       newest_outcome.error,
       newest.left_out,
       newest_outcome.hint
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class r ON r.oid = m.tview_oid
  LEFT JOIN @extschema@.pg_tview_comparison c ON c.tview_oid = m.tview_oid
  LEFT JOIN LATERAL (
        SELECT a.position, a.operation, a.audit_id,
               (a.details #>> '{left_out,sqlstate}') || ': ' || (a.details #>> '{left_out,message}') AS left_out
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
  LEFT JOIN LATERAL @standing_still@ still ON true
 CROSS JOIN LATERAL (
        SELECT least(min(q.enqueued_at), c.oldest_change_at, c.again_change_at) AS oldest_at
          FROM @extschema@.pg_tviews_queued((m.source_oids || m.tview_oid)::oid[], newest.position) q
         WHERE (q.operation = 'REFRESH') = (q.source_oid = m.tview_oid)) pending
 CROSS JOIN LATERAL (
        SELECT count(*) AS keys, min(d.sqlstate || ': ' || d.message) AS because
          FROM @extschema@.pg_tview_dead_letter d
         WHERE d.tview_oid = m.tview_oid) dead
  LEFT JOIN LATERAL @newest_outcome@ newest_outcome ON newest_outcome.status = 'ERROR'
 WHERE pg_catalog.pg_has_role($1, r.relowner, 'USAGE') OR pg_catalog.pg_has_role($1, 'pg_monitor', 'USAGE')
 ORDER BY 1
