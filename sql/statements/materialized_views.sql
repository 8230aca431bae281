-- Materialized views of the schema (parameter 1) that do not have the name of a tv table or a base table: OID, name,
-- entity, owner, whether it has rows, its extension, and how many relations read it.
SELECT c.oid, c.relname::text, regexp_replace(c.relname::text, '^(mv|v)_(?=.)', ''), c.relowner, c.relispopulated,
       (SELECT e.extname::text
          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
               AND d.refclassid = 'pg_extension'::regclass),
       (SELECT count(DISTINCT r.ev_class)
          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
               AND r.ev_class <> c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind = 'm' AND c.relname !~ '^(tv|tb)_.'
 ORDER BY c.relname LIKE 'mv\_%' DESC, c.relname
