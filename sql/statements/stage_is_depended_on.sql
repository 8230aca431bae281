-- Whether objects that are no part of a table (parameter 1) depend on it or its row type.
SELECT EXISTS (
        SELECT
          FROM pg_catalog.pg_class t
          LEFT JOIN pg_catalog.pg_type r ON r.oid = t.reltype
         CROSS JOIN LATERAL (VALUES ('pg_catalog.pg_class'::pg_catalog.regclass, t.oid), ('pg_catalog.pg_type'::pg_catalog.regclass, r.oid),
                                    ('pg_catalog.pg_type'::pg_catalog.regclass, r.typarray)) own (class, object)
          JOIN pg_catalog.pg_depend d ON d.refclassid = own.class AND d.refobjid = own.object
         WHERE t.oid = $1 AND d.deptype = 'n')
