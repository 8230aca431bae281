-- Changes of the sources in parameter 1 that the stored groups of the TVIEW (parameter 3) have not absorbed: they
-- are outside the position of the store (parameter 2). Requests count for the TVIEW itself only. Columns:
-- - the source
-- - whether all groups are in doubt
-- - change keys of the transactions whose net changes are not known
-- - net changes
-- - how many rows the net changes have
WITH pending AS MATERIALIZED (
    SELECT q.source_oid::oid AS source, q.operation = 'REFRESH' AS requested, q.keys, q.net,
           bool_or(q.net IS NULL) OVER (PARTITION BY q.source_oid, q.xid) AS is_unknown
      FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
     WHERE (q.operation = 'REFRESH') = (q.source_oid = $3)
), size AS MATERIALIZED (
    SELECT coalesce(sum(pg_column_size(net) + pg_column_size(keys)), 0) > 48 * 1024 * 1024 AS too_large FROM pending
)
SELECT source,
       bool_or(too_large OR keys IS NULL OR (requested AND keys = '[]')),
       array_agg(keys) FILTER (WHERE is_unknown AND NOT requested AND keys IS NOT NULL AND NOT too_large),
       array_agg(net) FILTER (WHERE net IS NOT NULL AND NOT requested AND NOT too_large),
       coalesce(sum(json_array_length(net)) FILTER (WHERE net IS NOT NULL AND NOT requested AND NOT too_large), 0)::bigint
  FROM pending, size
 GROUP BY source
