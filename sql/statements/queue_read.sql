-- Changes of the sources in parameter 1 that are outside a position, aggregated per source. Parameters 2 and
-- 3 are xmax and xip of the position. The changes are exactly the rows that the snapshot of the position does
-- not see. Their transactions began later, or were in progress then. Keys beyond 48 MB are not collected, and
-- count as "all keys".
WITH pending AS MATERIALIZED (
    SELECT q.source_oid, q.operation, q.keys, q.enqueued_at, q.xid
      FROM @extschema@.pg_tview_queue q
     WHERE q.source_oid = ANY ($1) AND q.xid >= $2::xid8
    UNION ALL
    -- Found one by one through the index, because there may be many rows before xmax. Another TVIEW may not
    -- have absorbed them, or they are removed but still visible to an old snapshot.
    SELECT q.*
      FROM unnest($1) source(oid), unnest($3::xid8[]) progress(xid),
           LATERAL (SELECT q.source_oid, q.operation, q.keys, q.enqueued_at, q.xid
                      FROM @extschema@.pg_tview_queue q
                     WHERE q.source_oid = source.oid AND q.xid = progress.xid AND q.xid < $2::xid8
                    OFFSET 0) q
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
