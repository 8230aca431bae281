-- Sources, among those of parameter 1, with queue rows that a snapshot (parameter 2) did not show. Also
-- returns the snapshot of this query. Of each source one row is enough.
SELECT array_agg(source.oid), pg_current_snapshot()::text
  FROM unnest($1) source(oid)
 WHERE @extschema@.pg_tviews_is_queued(ARRAY[source.oid], NULL, $2::pg_snapshot, NULL)
