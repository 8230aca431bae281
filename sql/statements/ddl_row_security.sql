-- Tables that the running command has altered, that have row security now, and that a fresh view reads.
SELECT DISTINCT r.oid
  FROM pg_catalog.pg_event_trigger_ddl_commands() c
  JOIN pg_catalog.pg_class r ON r.oid = c.objid AND r.relrowsecurity
  JOIN pg_catalog.pg_depend t
    ON t.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
   AND t.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.refobjid = r.oid
  JOIN pg_catalog.pg_rewrite w ON w.oid = t.objid
  JOIN pg_catalog.pg_class v ON v.oid = w.ev_class AND v.relnamespace = r.relnamespace
   AND v.relname = pg_catalog.regexp_replace(r.relname, '^tv_', 'fv_')
  JOIN pg_catalog.pg_depend f
    ON f.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND f.objid = w.oid
   AND f.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  JOIN pg_catalog.pg_proc p ON p.oid = f.refobjid AND p.proname = 'pg_tviews_behind_by_filter'
 WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
