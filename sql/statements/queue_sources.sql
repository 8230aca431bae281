-- The sources that have rows in the queue, found with one index lookup per source. Also returns the snapshot
-- of this query.
WITH RECURSIVE found(source_oid) AS (
    (SELECT source_oid FROM @extschema@.pg_tview_queue ORDER BY source_oid LIMIT 1)
    UNION ALL
    SELECT (SELECT q.source_oid
              FROM @extschema@.pg_tview_queue q
             WHERE q.source_oid > found.source_oid
             ORDER BY q.source_oid
             LIMIT 1)
      FROM found
     WHERE found.source_oid IS NOT NULL)
SELECT array_agg(source_oid::oid) FILTER (WHERE source_oid IS NOT NULL), pg_current_snapshot()::text FROM found
