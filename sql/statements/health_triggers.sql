-- Sources, and partitions below them, that do not capture every row change and TRUNCATE. Each comes with a
-- TVIEW that reads the table and that the role (parameter 1) is allowed to see. The last column is whether all such
-- TVIEWs are still to be populated.
WITH sources AS MATERIALIZED (
    SELECT s.source_oid::oid AS relation, min(m.tview_oid::oid) AS tview, bool_and(m.state = 'populating') AS populating
      FROM @extschema@.pg_tview_definition m
      JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
     CROSS JOIN LATERAL unnest(m.source_oids) s(source_oid)
     WHERE pg_catalog.pg_has_role($1, c.relowner, 'USAGE') OR pg_catalog.pg_has_role($1, 'pg_monitor', 'USAGE')
     GROUP BY s.source_oid::oid
), tables AS MATERIALIZED (
    SELECT sources.relation, sources.tview, sources.populating FROM sources
    UNION
    SELECT tree.relid::oid, sources.tview, sources.populating
      FROM sources
      JOIN pg_catalog.pg_class c ON c.oid = sources.relation AND c.relkind = 'p'
     CROSS JOIN LATERAL pg_catalog.pg_partition_tree(sources.relation) tree
)
SELECT tables.relation::regclass::text, min(tables.tview)::regclass::text, bool_and(tables.populating)
  FROM tables
  JOIN pg_catalog.pg_class c ON c.oid = tables.relation AND c.relkind IN ('r', 'p')
 -- Bits of tgtype: 1 for each row, 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE.
 WHERE NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_trigger t
         WHERE t.tgrelid = c.oid AND t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
           AND t.tgenabled = 'A' AND t.tgtype & 29 = 29)
    OR NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_trigger t
         WHERE t.tgrelid = c.oid AND t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
           AND t.tgenabled = 'A' AND t.tgtype & 33 = 32)
 GROUP BY tables.relation
 ORDER BY 1
