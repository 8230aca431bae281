-- The text in parameter 1 as an interval.
SELECT $1::pg_catalog.interval
