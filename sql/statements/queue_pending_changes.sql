-- The number of changes of the sources in parameter 2 that the snapshot shows and a position (parameter 3) does
-- not cover, for the TVIEW in parameter 1.
SELECT coalesce(sum(coalesce(jsonb_array_length(q.keys), 1)), 0)::bigint
  FROM @extschema@.pg_tviews_queued($2, $3::pg_snapshot) q
 WHERE (q.operation = 'REFRESH') = (q.source_oid = $1) AND q.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
