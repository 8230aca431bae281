-- As queue_read.sql, without requests, and without transactions that changed all rows of a source or logged more than 32 kB
-- of change keys. Their keys are not read.
WITH pending AS MATERIALIZED (
    SELECT q.source_oid, q.keys, q.enqueued_at, q.xid, q.origin, bool_or(q.keys IS NULL) OVER of_transaction AS all_keys,
           sum(pg_column_size(q.keys)) OVER of_transaction AS bytes
      FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
     WHERE q.operation <> 'REFRESH'
    WINDOW of_transaction AS (PARTITION BY q.xid)
), small AS MATERIALIZED (
    SELECT source_oid, keys, enqueued_at, xid, origin FROM pending WHERE NOT all_keys AND bytes <= 32 * 1024
), origins AS MATERIALIZED (
    SELECT array_agg(origin) AS origins
      FROM (SELECT DISTINCT origin FROM small
             WHERE origin IS NOT NULL AND source_oid::oid <> $3
             ORDER BY origin LIMIT 1000) each_origin
)
SELECT source_oid::oid,
       false,
       false,
       array_agg(keys),
       sum(jsonb_array_length(keys))::bigint,
       min(enqueued_at),
       min(xid)::text,
       origins.origins,
       NULL::bigint[]
  FROM small, origins
 GROUP BY source_oid, origins.origins
