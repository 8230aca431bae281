-- Shows what SELECT * FROM pg_tviews_auto_convert() would do in the current schema. Changes nothing.
--
--   psql -d mydb -f sql/auto_convert_tviews.sql

SELECT coalesce(pg_catalog.current_schema(), '') AS schema, pg_catalog.current_setting('search_path') AS search_path \gset
-- From here on, only functions and operators of PostgreSQL itself are found.
SET search_path = pg_catalog, pg_temp;
SELECT max(n.nspname) AS pg_tviews_schema, count(*) > 0 AS pg_tviews_installed
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_tviews' \gset

\if :pg_tviews_installed

\echo 'Plan for the tv_* tables and materialized views of this schema:'
SELECT entity, action, base_table, backing_view, array_to_string(key_columns, ', ') AS key, reason
FROM :"pg_tviews_schema".pg_tviews_auto_convert_plan(:'schema')
ORDER BY entity;
SELECT pg_catalog.set_config('search_path', :'search_path', false) AS search_path \gset

\else

SELECT pg_catalog.set_config('search_path', :'search_path', false) AS search_path \gset
\set ON_ERROR_STOP on
DO $$
BEGIN
    RAISE EXCEPTION 'extension pg_tviews is not installed in database "%"', pg_catalog.current_database()
        USING HINT = 'Run: CREATE EXTENSION pg_tviews;';
END
$$;

\endif
