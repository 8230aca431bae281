-- The relations that the query of a view (parameter 1) names.
SELECT DISTINCT d.refobjid
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> $1
 WHERE r.ev_class = $1
 ORDER BY d.refobjid
