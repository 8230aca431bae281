-- The text $1 as a length of time.
SELECT $1::pg_catalog.interval
