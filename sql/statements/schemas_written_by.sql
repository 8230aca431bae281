-- The transactions that wrote the schemas of today. Old rows keep their transactions when these are frozen: such numbers
-- can seem to be ahead.
SELECT DISTINCT n.xmin::pg_catalog.text::bigint FROM pg_catalog.pg_namespace n WHERE pg_catalog.age(n.xmin) >= 0
