CREATE FUNCTION @extschema@.pg_tviews_capture() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'pg_tviews_capture';
COMMENT ON FUNCTION @extschema@.pg_tviews_capture() IS
    'Trigger function of sources: records which rows changed. Its argument names the columns. '
    'pg_tviews_create() creates the triggers.';
