-- The view (parameter 1) if only its schema was renamed since. The name of the view is still parameter 2. The
-- schema is no longer named parameter 3.
SELECT c.oid
  FROM pg_catalog.pg_class c
 WHERE c.oid = $1 AND c.relname = $2 AND c.relkind = 'v'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = $3)
