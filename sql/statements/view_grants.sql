-- GRANT statements that give a view (parameter 2) the privileges granted on another view (parameter 1).
SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $2,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
 WHERE c.oid = $1 AND a.grantee <> c.relowner
