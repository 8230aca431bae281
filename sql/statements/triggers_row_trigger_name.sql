-- The name of the row trigger that captures changes of a partitioned table (parameter 1).
SELECT tgname::text
  FROM pg_catalog.pg_trigger
 WHERE tgrelid = $1 AND tgtype & 1 <> 0 AND tgparentid = 0
   AND tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
