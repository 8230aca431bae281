-- What the refreshes of the last seconds (parameter 2; NULL: all that are recorded) cost, by TVIEW and source. TVIEWs are those
-- whose owner's privileges the role (parameter 1) has; all, for a member of pg_monitor. details.sources: see refresh/by_source.rs;
-- details.took: see refresh/audit/entry.rs.
WITH recent AS (
    SELECT a.audit_id, a.tview_oid, m.entity_name, a.operation,
           coalesce((a.details ->> 'took')::float8 / 1000000, extract(epoch FROM a.finished_at - a.started_at)::float8) AS seconds,
           a.details -> 'sources' AS sources
      FROM @extschema@.pg_tview_meta_audit a
      JOIN @extschema@.pg_tview_definition m ON m.tview_oid::oid = a.tview_oid
      JOIN pg_catalog.pg_class c ON c.oid = a.tview_oid
     WHERE a.finished_at >= coalesce(statement_timestamp() - make_interval(secs => $2), '-infinity')
       AND a.operation IN ('refresh', 'populate', 'compare')
       AND (pg_has_role($1, c.relowner, 'USAGE') OR pg_has_role($1, 'pg_monitor', 'USAGE'))
), by_source AS (
    SELECT r.audit_id, r.tview_oid, r.entity_name, r.operation, r.seconds, (s.cost ->> 0)::oid AS source, (s.cost ->> 1)::bigint AS changes,
           (s.cost ->> 2)::bigint AS keys, coalesce((s.cost ->> 3)::float8 / 1000000, 0) AS finding,
           (s.cost ->> 4)::bigint AS xid, (s.cost ->> 5)::bigint AS changes_of_xid,
           s.cost IS NULL OR s.cost ->> 2 IS NULL AS compares
      FROM recent r
      LEFT JOIN LATERAL jsonb_array_elements(r.sources) s(cost) ON true
), weighted AS (
    -- What is not spent on finding keys belongs to the keys, or to those changes for which all rows were compared.
    SELECT b.*, b.seconds - sum(b.finding) OVER refresh AS rest,
           CASE WHEN bool_or(b.compares) OVER refresh THEN CASE WHEN b.compares THEN coalesce(b.changes, 1) ELSE 0 END
                WHEN sum(b.keys) OVER refresh > 0 THEN b.keys
                ELSE b.changes END::float8 AS weight
      FROM by_source b
    WINDOW refresh AS (PARTITION BY b.audit_id)
), split AS (
    SELECT w.*, w.finding + greatest(w.rest, 0)
                * coalesce(w.weight / nullif(sum(w.weight) OVER (PARTITION BY w.audit_id), 0), 0) AS cost
      FROM weighted w
), ranked AS (
    SELECT s.*, s.cost * s.changes_of_xid / nullif(s.changes, 0) AS cost_of_xid,
           row_number() OVER (PARTITION BY s.tview_oid, s.source
                              ORDER BY s.cost * s.changes_of_xid / nullif(s.changes, 0) DESC NULLS LAST, s.audit_id DESC) AS place
      FROM split s
)
SELECT r.entity_name, r.tview_oid, r.source, count(*) AS refreshes,
       count(*) FILTER (WHERE r.compares AND (r.source IS NOT NULL OR r.operation = 'populate')) AS comparisons,
       sum(r.changes)::bigint AS changes, sum(r.keys)::bigint AS keys,
       sum(r.keys)::float8 / nullif(sum(r.changes) FILTER (WHERE NOT r.compares), 0) AS keys_per_change, sum(r.cost) AS seconds,
       jsonb_agg(jsonb_build_object('xid', r.xid, 'changes', r.changes_of_xid,
                                    'keys', round(r.keys::numeric * r.changes_of_xid / nullif(r.changes, 0)),
                                    'seconds', round(r.cost_of_xid::numeric, 6), 'audit_id', r.audit_id,
                                    'estimated', r.changes_of_xid < r.changes)
                 ORDER BY r.place) FILTER (WHERE r.place <= 3 AND r.xid IS NOT NULL)::text AS worst_transactions
  FROM ranked r
 GROUP BY r.entity_name, r.tview_oid, r.source
 ORDER BY sum(r.cost) DESC, r.entity_name, r.tview_oid, r.source
