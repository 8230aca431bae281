-- Changes of the sources in parameter 1 that are outside a position (parameter 2), aggregated per source. The
-- changes are exactly the rows that the snapshot of the position does not see. Keys beyond 48 MB are not
-- collected, and count as "all keys".
WITH pending AS MATERIALIZED (
    SELECT q.source_oid, q.operation, q.keys, q.enqueued_at, q.xid
      FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
), size AS MATERIALIZED (
    SELECT coalesce(sum(pg_column_size(keys)), 0) > 48 * 1024 * 1024 AS too_large FROM pending
)
SELECT source_oid::oid,
       operation = 'REFRESH',
       bool_or(keys IS NULL OR too_large),
       array_agg(keys) FILTER (WHERE keys IS NOT NULL AND NOT too_large),
       sum(coalesce(jsonb_array_length(keys), 1))::bigint,
       min(enqueued_at),
       min(xid)::text
  FROM pending, size
 GROUP BY source_oid, operation = 'REFRESH'
