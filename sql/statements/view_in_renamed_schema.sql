-- View $1, if it is still called $2 and the schema $3, where it was, is called otherwise by now.
SELECT c.oid
  FROM pg_catalog.pg_class c
 WHERE c.oid = $1 AND c.relname = $2 AND c.relkind = 'v'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = $3)
