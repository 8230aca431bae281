-- The sources that have rows in the queue. Also returns the snapshot of this query.
SELECT array_agg(found.source_oid), pg_current_snapshot()::text
  FROM (SELECT DISTINCT q.source_oid::oid FROM @extschema@.pg_tview_queue q) found
