-- The fresh view of the TVIEW (parameter 3), if the relation of a schema (parameter 1) with a name (parameter 2) is
-- that: a view with the conditions of fresh views on this table.
SELECT c.oid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'v'
   AND EXISTS (
        SELECT FROM pg_catalog.pg_rewrite r
          JOIN pg_catalog.pg_depend f
            ON f.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND f.objid = r.oid
           AND f.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           AND f.refobjid = pg_catalog.to_regproc('@extschema@.pg_tviews_behind_by_filter')
          JOIN pg_catalog.pg_depend t
            ON t.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND t.objid = r.oid
           AND t.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.refobjid = $3
         WHERE r.ev_class = c.oid)
