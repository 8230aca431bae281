-- The row triggers that capture changes of these tables, each with the table whose changes it captures: the
-- partitioned table whose trigger it is a copy of.
-- $1: the tables. Columns: table, trigger, source.
WITH RECURSIVE up AS (
    SELECT t.tgrelid AS relation, t.oid AS trigger, t.tgrelid AS source, t.tgparentid
      FROM pg_catalog.pg_trigger t
     WHERE t.tgrelid = ANY ($1)
       AND t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
       AND t.tgtype & 1 <> 0
    UNION ALL
    SELECT up.relation, up.trigger, above.tgrelid, above.tgparentid
      FROM up
      JOIN pg_catalog.pg_trigger above ON above.oid = up.tgparentid
)
SELECT relation, trigger, source FROM up WHERE tgparentid = 0
