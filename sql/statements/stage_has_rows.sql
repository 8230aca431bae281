-- Whether a table (parameter 1) takes space for rows.
SELECT pg_catalog.pg_relation_size($1::pg_catalog.regclass) > 0
