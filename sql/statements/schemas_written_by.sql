-- The transactions that wrote the schemas of today.
SELECT DISTINCT n.xmin::pg_catalog.text::bigint FROM pg_catalog.pg_namespace n
