-- Changes of the sources in parameter 1 that are not visible in the position (parameter 2). Only committed
-- changes of other transactions are read. They are aggregated per source and hundredth of the backlog, the
-- oldest first. The columns are those of queue_read.sql, without origins and the largest row.
WITH pending AS (
    SELECT q.source_oid, q.operation, q.keys, q.enqueued_at, q.xid,
           ntile(100) OVER (PARTITION BY q.source_oid, q.operation = 'REFRESH' ORDER BY q.enqueued_at) AS part
      FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
     WHERE q.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
)
SELECT source_oid::oid,
       operation = 'REFRESH',
       bool_or(keys IS NULL),
       array_agg(keys) FILTER (WHERE keys IS NOT NULL),
       sum(coalesce(jsonb_array_length(keys), 1))::bigint,
       min(enqueued_at),
       min(xid)::text,
       NULL::text[],
       NULL::bigint[]
  FROM pending
 GROUP BY source_oid, operation = 'REFRESH', part
 ORDER BY min(enqueued_at)
