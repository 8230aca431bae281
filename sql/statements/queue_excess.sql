-- TVIEWs (parameter 2, or all) that are paused, suspended or failing, with more pending changes than
-- parameter 1. Returns the number of changes and the time of the first. That time includes changes given up
-- before.
WITH standing AS MATERIALIZED (
    SELECT m.tview_oid, m.entity_name, m.state, m.source_oids
      FROM @extschema@.pg_tview_definition m
      JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
     WHERE ($2 IS NULL OR m.tview_oid = $2)
       AND (m.state IN ('paused', 'suspended')
            OR 'ERROR' = (SELECT a.status
                            FROM @extschema@.pg_tview_meta_audit a
                           WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid
                             AND a.operation IN ('refresh', 'populate', 'suspend', 'resume', 'give_up')
                           ORDER BY a.tview_oid DESC, a.audit_id DESC
                           LIMIT 1))
)
SELECT m.tview_oid::oid, m.entity_name, m.state, pending.changes,
       to_json(least(pending.oldest_at,
                     CASE newest.operation WHEN 'give_up' THEN (newest.details ->> 'oldest_change_at')::timestamptz END)) #>> '{}'
  FROM standing m
  LEFT JOIN LATERAL (
        SELECT a.position, a.operation, a.details
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
 CROSS JOIN LATERAL (
        SELECT coalesce(sum(coalesce(jsonb_array_length(q.keys), 1)), 0)::bigint AS changes, min(q.enqueued_at) AS oldest_at
          FROM @extschema@.pg_tviews_queued((m.source_oids || m.tview_oid)::oid[], newest.position) q
         WHERE (q.operation = 'REFRESH') = (q.source_oid = m.tview_oid)) pending
 WHERE pending.changes > $1
