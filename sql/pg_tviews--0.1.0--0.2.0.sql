-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The library is preloaded: a new one is there after a restart of the server.
DO $$
BEGIN
    IF string_to_array(@extschema@.pg_tviews_version(), '.')::int[] < '{0,2}' THEN
        RAISE EXCEPTION 'the server still runs the library of pg_tviews %', @extschema@.pg_tviews_version()
            USING HINT = 'Restart the server, and then run ALTER EXTENSION pg_tviews UPDATE; again.', ERRCODE = '55000';
    END IF;
END$$;

COMMENT ON FUNCTION @extschema@.pg_tviews_meta_written() IS
    'Trigger function of pg_tview_meta: updates fk_columns and max_latency, refuses other updates, and adds the rows of a dump in which it was a table.';

-- Back to the search_path of ALTER EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
