-- The version of the extension in this database.
SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_tviews'
