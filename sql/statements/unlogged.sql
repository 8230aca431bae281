-- Tables that a crash may have emptied. These are unlogged sources, including partitions and children, and
-- unlogged tv tables (true in the second column).
WITH RECURSIVE below (source, oid) AS (
    SELECT DISTINCT s.source_oid, s.source_oid
      FROM @extschema@.pg_tview_definition m CROSS JOIN LATERAL unnest(m.source_oids) s(source_oid)
    UNION
    SELECT below.source, i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
)
SELECT DISTINCT below.source, false
  FROM below JOIN pg_catalog.pg_class c ON c.oid = below.oid WHERE c.relpersistence = 'u'
UNION ALL
SELECT c.oid, true
  FROM @extschema@.pg_tview_definition m JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid WHERE c.relpersistence = 'u'
