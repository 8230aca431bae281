-- Whether a role (parameter 1) may use tables of the extension's schema (parameter 2) and, unless it is NULL, write a table
-- (parameter 3). NULL if there is no such table.
SELECT pg_catalog.has_schema_privilege($1, $2, 'USAGE')
       AND ($3::oid IS NULL
            OR pg_catalog.has_table_privilege($1, $3, 'SELECT') AND pg_catalog.has_table_privilege($1, $3, 'INSERT')
               AND pg_catalog.has_table_privilege($1, $3, 'UPDATE') AND pg_catalog.has_table_privilege($1, $3, 'DELETE'))
