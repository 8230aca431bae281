-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The library is preloaded: a new one is there after a restart of the server.
DO $$
BEGIN
    IF string_to_array(@extschema@.pg_tviews_version(), '.')::int[] < '{0,3}' THEN
        RAISE EXCEPTION 'the server still runs the library of pg_tviews %', @extschema@.pg_tviews_version()
            USING HINT = 'Restart the server, and then run ALTER EXTENSION pg_tviews UPDATE; again.', ERRCODE = '55000';
    END IF;
END$$;

-- Every writer of a source inserts into this table, so each attempt is short: writers queue up behind a lock that waits.
DO $$
DECLARE
    before text := current_setting('lock_timeout');
BEGIN
    FOR attempt IN 1..100 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '50ms', true);
            LOCK TABLE @extschema@.pg_tview_queue IN ACCESS EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', before, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE EXCEPTION 'pg_tview_queue is in use'
        USING DETAIL = 'A prepared transaction that changed a source, a long refresh or a backup has locked the table.',
              HINT = 'Run ALTER EXTENSION pg_tviews UPDATE; again when that has ended.', ERRCODE = '55P03';
END$$;

DROP INDEX IF EXISTS @extschema@.pg_tview_queue_source_oid_xid_idx;
ALTER TABLE @extschema@.pg_tview_queue SET ACCESS METHOD heap;
ALTER TABLE @extschema@.pg_tview_queue ADD COLUMN net json;
ALTER TABLE @extschema@.pg_tview_queue ALTER COLUMN net SET STORAGE EXTERNAL;
DROP FUNCTION @extschema@.pg_tviews_queued();

-- The table has no index, as each writer would pay for it. These functions read only the blocks that can have such rows, and
-- conflict with no writer if the transaction is SERIALIZABLE.
-- The rows of some sources (NULL: of all) whose transactions the snapshot does not see (NULL: of all transactions).
CREATE FUNCTION @extschema@.pg_tviews_queued(sources oid[], since pg_snapshot) RETURNS SETOF @extschema@.pg_tview_queue
    LANGUAGE c STABLE ROWS 100 AS 'MODULE_PATHNAME', 'pg_tviews_queued';
-- Whether there is such a row by another transaction that the snapshot "seen" (NULL: any) sees. If a TVIEW is named, its own rows
-- count if they are requests, and other rows if they are not.
CREATE FUNCTION @extschema@.pg_tviews_is_queued(sources oid[], tview oid, since pg_snapshot, seen pg_snapshot) RETURNS boolean
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'pg_tviews_is_queued';
CREATE FUNCTION @extschema@.pg_tviews_queue_written() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'pg_tviews_queue_written_wrapper';
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_queued(oid[], pg_catalog.pg_snapshot) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_is_queued(oid[], oid, pg_catalog.pg_snapshot, pg_catalog.pg_snapshot) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_queue_written() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.pg_tviews_queued(oid[], pg_snapshot) IS
    'Rows of pg_tview_queue, for the extension itself: of some sources, by transactions that a snapshot does not see.';
COMMENT ON FUNCTION @extschema@.pg_tviews_is_queued(oid[], oid, pg_snapshot, pg_snapshot) IS
    'Whether pg_tview_queue has a row for a TVIEW, for the extension itself.';
COMMENT ON FUNCTION @extschema@.pg_tviews_queue_written() IS
    'Trigger function of pg_tview_queue, for rows that capture has not written.';

-- Capture inserts rows without triggers.
CREATE TRIGGER pg_tviews_queue_written AFTER INSERT OR UPDATE ON @extschema@.pg_tview_queue
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.pg_tviews_queue_written();
ALTER TABLE @extschema@.pg_tview_queue ENABLE ALWAYS TRIGGER pg_tviews_queue_written;
-- Calls the trigger: rows may have been moved before.
UPDATE @extschema@.pg_tview_queue SET keys = keys WHERE false;

-- Aggregates of large groups. Refreshes move them on by what transactions have changed, and do not read the groups again. The
-- table is a cache: an entry may be deleted at any time, and its group is computed again when needed. It is unlogged.
CREATE UNLOGGED TABLE @extschema@.pg_tview_running (
    tview_oid oid    NOT NULL,
    level     int    NOT NULL,
    key       text[] NOT NULL,
    rows      bigint NOT NULL,
    state     text[] NOT NULL,
    moved_at  bigint NOT NULL,
    PRIMARY KEY (tview_oid, level, key)
) WITH (fillfactor = 70, vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- The position in the log that all stored groups of a TVIEW are at: the TVIEW's own position, or ahead of it. NULL: none is stored.
CREATE UNLOGGED TABLE @extschema@.pg_tview_running_position (
    tview_oid oid         PRIMARY KEY,
    position  pg_snapshot,
    levels    text        NOT NULL,
    helped    bigint      NOT NULL DEFAULT 0
) WITH (fillfactor = 50, vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
GRANT SELECT ON @extschema@.pg_tview_running, @extschema@.pg_tview_running_position TO pg_monitor;
COMMENT ON TABLE @extschema@.pg_tview_running IS 'Aggregates of large groups that refreshes move on instead of reading the groups again. A cache: entries come and go.';
COMMENT ON TABLE @extschema@.pg_tview_running_position IS 'Which changes the stored groups of each TVIEW have absorbed, and how often these groups were read.';

CREATE FUNCTION @extschema@.pg_tviews_running_group(level int, key text[], rows bigint, state text[], stored boolean) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_running_group_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_running_group(int, text[], bigint, text[], boolean) IS
    'Returns the number of rows of a group, for statements of the extension itself. A refresh notes the group.';

-- One more column.
DROP FUNCTION @extschema@.pg_tviews_explain(text, text[]);
CREATE FUNCTION @extschema@.pg_tviews_explain(name_or_query text, key_columns text[] DEFAULT NULL) RETURNS TABLE (
    source regclass, strategy text, captured_columns text[], key_query text, reason text, advice text, running_aggregates text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_explain_aggregates_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain(text, text[]) IS
    'How changes of each source of a TVIEW, a view or a query are followed, which indexes would make this cheaper, and which aggregates run along. Changes nothing.';

CREATE FUNCTION @extschema@.pg_tviews_stored_groups(tview regclass) RETURNS TABLE (groups bigint, reads bigint)
    LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'pg_tviews_stored_groups_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_stored_groups(regclass) IS
    'How many groups of a TVIEW are stored as running aggregates, and how often refreshes have read one. 0 on a standby.';

CREATE FUNCTION @extschema@.pg_tviews_require(name text, max_staleness interval) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_require_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_token() RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_token_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_wait_for(token text, name text DEFAULT NULL, timeout interval DEFAULT '30 seconds') RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_wait_for_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_require(text, interval) IS
    'Waits until a TVIEW is no later than that, as pg_tviews.on_stale says. An error if that cannot be.';
COMMENT ON FUNCTION @extschema@.pg_tviews_token() IS
    'What is committed now, and what the calling transaction will commit, as text for pg_tviews_wait_for().';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for(text, text, interval) IS
    'Waits until what a token names is visible in a TVIEW, or in all TVIEWs. False on timeout.';

CREATE OR REPLACE VIEW @extschema@.pg_tview_status AS
SELECT s.*, g.groups AS stored_groups, g.reads AS stored_group_reads
  FROM @extschema@.pg_tviews_status() s, @extschema@.pg_tviews_stored_groups(s.tview_oid) g;

-- Back to the search_path of ALTER EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
