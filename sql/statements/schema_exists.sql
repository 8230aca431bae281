-- Whether the schema (parameter 1) exists. No row if it does not exist.
SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1
