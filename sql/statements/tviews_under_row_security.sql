-- TVIEWs that read a table with row-level security.
SELECT m.tview_oid::oid
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class t ON t.oid = m.tview_oid
 WHERE EXISTS (SELECT 1
                 FROM unnest(m.source_oids) source(oid)
                 JOIN pg_catalog.pg_class c ON c.oid = source.oid AND c.relrowsecurity)
   AND EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = m.tview_oid AND a.operation IN ('create', 'redefine'))
