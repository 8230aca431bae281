-- Changes of the sources in parameter 1 that are outside a position (parameter 2), aggregated per source. The
-- changes are exactly the rows that the snapshot of the position does not see. Keys beyond 48 MB are not
-- collected, and count as "all keys". The last two columns have the origins of all these changes, at most a thousand, and of the
-- largest row: its number of changes and its transaction. Origins are those of changes that concern the TVIEW in parameter 3:
-- requests for it, and not the rows that it has written.
WITH pending AS MATERIALIZED (
    SELECT q.source_oid, q.operation, q.keys, q.enqueued_at, q.xid, q.origin,
           coalesce(jsonb_array_length(q.keys), 1)::bigint AS changes
      FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
), size AS MATERIALIZED (
    SELECT coalesce(sum(pg_column_size(keys)), 0) > 48 * 1024 * 1024 AS too_large FROM pending
), origins AS MATERIALIZED (
    SELECT array_agg(origin) AS origins
      FROM (SELECT DISTINCT origin FROM pending
             WHERE origin IS NOT NULL AND (operation = 'REFRESH') = (source_oid::oid = $3)
             ORDER BY origin LIMIT 1000) each_origin
)
SELECT source_oid::oid,
       operation = 'REFRESH',
       bool_or(keys IS NULL OR too_large),
       array_agg(keys) FILTER (WHERE keys IS NOT NULL AND NOT too_large),
       sum(changes)::bigint,
       min(enqueued_at),
       min(xid)::text,
       origins.origins,
       max(ARRAY[changes, xid::text::bigint])
  FROM pending, size, origins
 GROUP BY source_oid, operation = 'REFRESH', origins.origins
