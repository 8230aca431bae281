-- Capture triggers that no TVIEW needs, as (table, name). Row triggers are not needed on tables that are not
-- a source. TRUNCATE triggers are not needed on tables that are neither a source nor a partition below one.
-- Copies that PostgreSQL created on partitions are left out. They are created and dropped with the trigger
-- above.
WITH sources AS MATERIALIZED (
    SELECT DISTINCT s.source_oid::oid AS relation
      FROM @extschema@.pg_tview_definition m
     CROSS JOIN LATERAL unnest(m.source_oids) s(source_oid)
), below AS MATERIALIZED (
    SELECT tree.relid::oid AS relation
      FROM sources
      JOIN pg_catalog.pg_class c ON c.oid = sources.relation AND c.relkind = 'p'
     CROSS JOIN LATERAL pg_catalog.pg_partition_tree(sources.relation) tree
)
SELECT t.tgrelid, t.tgname::text
  FROM pg_catalog.pg_trigger t
 WHERE t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
   AND t.tgparentid = 0
   AND t.tgrelid NOT IN (SELECT relation FROM sources)
   AND NOT (t.tgtype & 32 <> 0 AND t.tgrelid IN (SELECT relation FROM below))
 ORDER BY t.tgrelid, t.tgname
