-- Statements that take all privileges on a relation (parameter 1) from roles that do not own it. Parameter 2: its name.
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', $2, CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END)
  FROM pg_catalog.pg_class c CROSS JOIN aclexplode(c.relacl) r
 WHERE c.oid = $1 AND r.grantee <> c.relowner
 ORDER BY 1
