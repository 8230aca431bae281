-- Tables, among those of parameter 1, that have no enabled TRUNCATE trigger with a name (parameter 2).
SELECT c.oid
  FROM pg_catalog.pg_class c
 WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                    WHERE t.tgrelid = c.oid AND t.tgname = $2 AND t.tgenabled = 'A')
 ORDER BY c.oid
