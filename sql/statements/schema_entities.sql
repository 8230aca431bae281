-- Names of entities of the schema (parameter 1) that have a relation tv_<entity> or tb_<entity>.
SELECT DISTINCT substr(c.relname, 4)::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname ~ '^(tv|tb)_.' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY 1
