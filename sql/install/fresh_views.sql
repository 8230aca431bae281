-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The conditions of fresh views; see src/postgres/fresh_view. Whoever reads a fresh view calls them. They answer for the
-- snapshot of the query, and for changes that only this session knows, so they run in no parallel worker.
CREATE FUNCTION @extschema@.pg_tviews_behind_support(internal) RETURNS internal
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'pg_tviews_behind_support';
-- Whether the row of a key may differ from the row in the table. Conditions of the query come first, the list of keys comes last.
CREATE FUNCTION @extschema@.pg_tviews_behind(tview regclass, VARIADIC key "any") RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE COST 10 SUPPORT @extschema@.pg_tviews_behind_support
    AS 'MODULE_PATHNAME', 'pg_tviews_behind';
-- Whether such rows are found by the list of their keys. The planner makes this false for a query that names keys.
CREATE FUNCTION @extschema@.pg_tviews_behind_by_list(tview regclass, VARIADIC key "any") RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SUPPORT @extschema@.pg_tviews_behind_support
    AS 'MODULE_PATHNAME', 'pg_tviews_behind_by_list';
-- Whether such rows are found by asking for each row. The planner says whether the query names keys.
CREATE FUNCTION @extschema@.pg_tviews_behind_by_filter(tview regclass, names_keys boolean, VARIADIC key "any") RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SUPPORT @extschema@.pg_tviews_behind_support
    AS 'MODULE_PATHNAME', 'pg_tviews_behind_by_filter';
-- The values of a key column, counted from 0, in that list.
CREATE FUNCTION @extschema@.pg_tviews_behind_keys(tview regclass, place int, of_type anyarray) RETURNS anyarray
    LANGUAGE c STABLE PARALLEL UNSAFE COST 100
    AS 'MODULE_PATHNAME', 'pg_tviews_behind_keys';
-- True. An error if the queries of the views below, of which a fresh view over other TVIEWs has copies, are others by now.
CREATE FUNCTION @extschema@.pg_tviews_behind_query(tview regclass, fingerprint text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE COST 100
    AS 'MODULE_PATHNAME', 'pg_tviews_behind_query';

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
