-- Whether schema $1 exists: no row if it does not.
SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1
