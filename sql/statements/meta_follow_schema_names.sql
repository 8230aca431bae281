-- Updates the definitions of backing views whose schema was renamed.
UPDATE @extschema@.pg_tview_definition m
   SET view_schema = n.nspname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = m.view_oid
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace old WHERE old.nspname = m.view_schema)
RETURNING m.tview_oid::oid
