-- Statements that give a fresh view (parameter 1, its name parameter 2) the right to be read by whoever may read the
-- table (parameter 3), as a whole or some columns, and take away what default privileges have given to others.
SELECT command
  FROM (
    SELECT 1 AS step, format('REVOKE ALL ON %s FROM %s', $2,
                             CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) AS command
      FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = $1 AND a.grantee <> c.relowner
    UNION
    SELECT 2, format('GRANT SELECT ON %s TO %s%s', $2,
                     CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
     WHERE c.oid = $3 AND a.grantee <> c.relowner AND a.privilege_type = 'SELECT'
    UNION
    SELECT 3, format('GRANT SELECT (%I) ON %s TO %s%s', t.attname, $2,
                     CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pg_catalog.pg_attribute t, aclexplode(t.attacl) a
     WHERE t.attrelid = $3 AND t.attnum > 0 AND NOT t.attisdropped AND a.privilege_type = 'SELECT') commands
 ORDER BY step, command
