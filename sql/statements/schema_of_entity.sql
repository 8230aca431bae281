-- The schema of the entity (parameter 1). This is the first schema in the search path (parameter 2) that has
-- the table or view of the entity. Without such a schema, it is the current schema.
SELECT coalesce(
        (SELECT n.nspname
           FROM unnest($2) WITH ORDINALITY path(oid, place)
           JOIN pg_catalog.pg_namespace n USING (oid)
           JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
          WHERE c.relname IN ('tv_' || $1, 'v_' || $1)
          ORDER BY path.place
          LIMIT 1),
        (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = $2[1]))::text
