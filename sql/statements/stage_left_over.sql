-- Stages that no comparison writes any more. Parameter 1: the schema of the extension.
SELECT t.oid
  FROM pg_catalog.pg_class t
 WHERE t.relname >= 'pg_tview_stage_' AND t.relname < 'pg_tview_stage`' AND t.relnamespace = $1 AND t.relkind = 'r'
   AND NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_comparison c WHERE c.stage = t.oid)
