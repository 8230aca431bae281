-- Whether a role (parameter 1) may call pg_tviews_create.
SELECT EXISTS (
    SELECT 1
      FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = '@extschema@'::pg_catalog.regnamespace AND p.proname = 'pg_tviews_create'
       AND pg_catalog.has_schema_privilege($1, p.pronamespace, 'USAGE') AND pg_catalog.has_function_privilege($1, p.oid, 'EXECUTE'))
