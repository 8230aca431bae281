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

-- Every writer of a source inserts into the queue, and every session with a TVIEW reads the definitions, so each attempt is short:
-- they queue up behind a lock that waits. All that is altered is locked here, in the order of refreshes and of queries of the views.
DO $$
DECLARE
    before text := current_setting('lock_timeout');
BEGIN
    FOR attempt IN 1..100 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '50ms', true);
            LOCK TABLE @extschema@.pg_tview_status, @extschema@.pg_tview_meta, @extschema@.pg_tview_definition, @extschema@.pg_tview_meta_audit,
                @extschema@.pg_tview_queue                 IN ACCESS EXCLUSIVE MODE;
            PERFORM set_config('lock_timeout', before, true);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE EXCEPTION 'pg_tview_queue is in use'
        USING DETAIL = 'A prepared transaction that changed a source, a long refresh or a backup has locked the table, or that of the definitions.',
              HINT = 'Run ALTER EXTENSION pg_tviews UPDATE; again when that has ended.', ERRCODE = '55P03';
END$$;

DROP INDEX IF EXISTS @extschema@.pg_tview_queue_source_oid_xid_idx;
ALTER TABLE @extschema@.pg_tview_queue SET ACCESS METHOD heap;
ALTER TABLE @extschema@.pg_tview_queue ADD COLUMN net json;
ALTER TABLE @extschema@.pg_tview_queue ALTER COLUMN net SET STORAGE EXTERNAL;
ALTER TABLE @extschema@.pg_tview_queue ADD COLUMN origin text;
ALTER TABLE @extschema@.pg_tview_meta_audit ADD COLUMN origins text[];
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
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert_plan(name) IS
    'What pg_tviews_auto_convert() would do with each tv_ table and each materialized view of a schema. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert(name) IS
    'Creates a TVIEW for each tv_ table of a schema that has a v_ view or a tb_ table, and for each materialized view that can become one. A table that fails does not stop the others.';
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

-- How far the verification of each TVIEW is. verified_to: the last key; suspects: keys whose rows differed, to be looked at once
-- more, and later_suspects those after them; slow_rows: passed over in this walk, as comparing one takes too long, and slow_keys
-- some of their keys; unseen: rows differ for reasons that no change shows.
CREATE TABLE @extschema@.pg_tview_verification (
    tview_oid          oid         PRIMARY KEY,
    definition_hash    text        NOT NULL,
    method             text        NOT NULL CHECK (method IN ('all', 'ranges', 'keys')),
    begun_at           timestamptz NOT NULL,
    walking            boolean     NOT NULL,
    verified_to        text,
    keys_at_once       int         NOT NULL,
    rows               bigint      NOT NULL,
    slow_rows          bigint      NOT NULL,
    slow_keys          text,
    not_before         timestamptz NOT NULL,
    suspects           text,
    later_suspects     text,
    more_suspects      boolean     NOT NULL,
    attempts           int         NOT NULL,
    unseen             boolean     NOT NULL,
    unverified_because text,
    verified_at        timestamptz,
    verified_rows      bigint,
    unverified_rows    bigint,
    drifted_keys       bigint      NOT NULL,
    drifted_at         timestamptz
) WITH (fillfactor = 50);

GRANT SELECT ON @extschema@.pg_tview_verification TO pg_monitor;
COMMENT ON TABLE @extschema@.pg_tview_verification IS 'How far the verification of each TVIEW is, and what it has found.';
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

-- One more argument.
DROP FUNCTION @extschema@.pg_tviews_create(text, text, interval, text[]);
CREATE FUNCTION @extschema@.pg_tviews_create(name text, query text DEFAULT NULL, max_latency interval DEFAULT NULL, key_columns text[] DEFAULT NULL, allow_full text DEFAULT NULL) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_create_allowing_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text, interval, text[], text) IS
    'Creates or redefines a TVIEW: the tv_ table that is kept equal to the v_ view of an entity. Returns the table.';

CREATE FUNCTION @extschema@.pg_tviews_lint(schema_name name DEFAULT NULL) RETURNS TABLE (
    tview_oid regclass, rule text, severity text, source regclass, message text, hint text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_lint_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_lint(name) IS
    'What in the definitions of the TVIEWs of a schema, or of all schemas, will be slow, late, or not followed. Changes nothing.';
CREATE FUNCTION @extschema@.pg_tviews_export(schema_name name DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_export_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_export(name) IS
    'SQL that makes the TVIEWs of a schema, or of all schemas, again, settings included. Run where they exist, it leaves them unchanged.';

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
CREATE FUNCTION @extschema@.pg_tviews_create_fresh_view(name text) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_create_fresh_view_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_create_fresh_view(text) IS
    'Creates the fv_ view of a TVIEW: what the v_ view returns at this moment, mostly read from the table. Returns the view.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind(regclass, "any") IS
    'Condition in fresh views: whether the row of a key may differ from the row in the table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_by_list(regclass, "any") IS
    'Condition in fresh views: whether rows that are behind are found by a list of their keys.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_by_filter(regclass, boolean, "any") IS
    'Condition in fresh views: whether rows that are behind are found among the rows that a query asks for.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_keys(regclass, int, anyarray) IS
    'Condition in fresh views: the values of a key column in rows that are behind.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_query(regclass, text) IS
    'Condition in fresh views over other TVIEWs: an error if a view below has another query by now.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_support(internal) IS 'Planner support function of the conditions in fresh views.';

CREATE FUNCTION @extschema@.pg_tviews_consistent(names text[]) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'pg_tviews_consistent_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_refresh_groups() RETURNS TABLE (
    tview_oid regclass, refresh_group text, consistent boolean, latency_p50_ms float8, latency_p95_ms float8)
    LANGUAGE c STABLE STRICT ROWS 10 COST 1000 AS 'MODULE_PATHNAME', 'pg_tviews_refresh_groups_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_consistent(text[]) IS
    'Whether TVIEWs, and those that feed them, show the same moment in the snapshot of the calling statement.';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh_groups() IS 'The columns of pg_tview_status that are about groups of TVIEWs.';

CREATE OR REPLACE VIEW @extschema@.pg_tview_status AS
SELECT s.*, g.groups AS stored_groups, g.reads AS stored_group_reads, r.refresh_group, r.consistent,
       r.latency_p50_ms AS group_latency_p50_ms, r.latency_p95_ms AS group_latency_p95_ms,
       v.verified_at, v.verified_rows, coalesce(v.drifted_keys, 0) AS drifted_keys, v.unverified_because, v.unverified_rows
  FROM @extschema@.pg_tviews_status() s
 CROSS JOIN LATERAL @extschema@.pg_tviews_stored_groups(s.tview_oid) g
  LEFT JOIN @extschema@.pg_tviews_refresh_groups() r ON r.tview_oid = s.tview_oid
  LEFT JOIN @extschema@.pg_tview_verification v ON v.tview_oid = s.tview_oid;

-- The change feed, and back-pressure.
ALTER TABLE @extschema@.pg_tview_definition ADD COLUMN feed boolean NOT NULL DEFAULT false;
ALTER TABLE @extschema@.pg_tview_definition ADD COLUMN throttle_lag interval;
-- Groups of TVIEWs.
ALTER TABLE @extschema@.pg_tview_definition ADD COLUMN refresh_group text;
CREATE OR REPLACE VIEW @extschema@.pg_tview_meta AS
WITH definition AS (
    SELECT entity_name, tview_oid, view_oid, key_columns, fk_columns, max_latency, state, created_at, view_schema,
           view_name, view_created, source_oids, pinned_settings, definition_hash, feed, throttle_lag, refresh_group
      FROM @extschema@.pg_tview_definition
)
SELECT * FROM definition;
GRANT UPDATE (feed, throttle_lag, refresh_group) ON @extschema@.pg_tview_meta TO PUBLIC;
COMMENT ON VIEW @extschema@.pg_tview_meta IS 'One row per TVIEW. Owners may update fk_columns, max_latency, feed, refresh_group and throttle_lag.';
COMMENT ON FUNCTION @extschema@.pg_tviews_meta_written() IS
    'Trigger function of pg_tview_meta: updates fk_columns, max_latency, feed, refresh_group and throttle_lag, refuses other updates, and adds the rows of a dump in which it was a table.';

-- Which rows of TVIEWs with a feed were written: one row per transaction and operation, written in that transaction. keys: a JSON
-- array of keys; NULL, with the operation EVERYTHING: any row may have been written. xid: the transaction. A consumer reads by
-- transactions, not by change_id: transactions do not become visible in the order of their numbers.
CREATE TABLE @extschema@.pg_tview_change (
    change_id   bigint      GENERATED ALWAYS AS IDENTITY,
    xid         xid8        NOT NULL,
    tview_oid   oid         NOT NULL,
    entity_name text        NOT NULL,
    operation   text        NOT NULL CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE', 'EVERYTHING')),
    keys        jsonb,
    origins     text[],
    audit_id    bigint,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (xid, change_id)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
-- To compress the keys of many rows would cost as much as the rest of what the feed costs.
ALTER TABLE @extschema@.pg_tview_change ALTER COLUMN keys SET STORAGE EXTERNAL;

-- Consumers of the feed. subscription_id: at random, so that tokens of other databases and servers are recognized. names and
-- tviews: the TVIEWs that were named, NULL for all; entities: their entity names.
CREATE TABLE @extschema@.pg_tview_subscription (
    subscription_id bigint      PRIMARY KEY,
    consumer        text        NOT NULL UNIQUE,
    owner           oid         NOT NULL,
    names           text[],
    entities        text[],
    tviews          oid[],
    subscribed_at   timestamptz NOT NULL
);

-- What consumers have acknowledged; the newest row of a subscription counts. position: what is visible in this snapshot is
-- acknowledged. upto: of what is visible in this snapshot, all up to a place in the order of xid, change_id and key. Append-only: an
-- update would leave old versions to be read past while an old snapshot is open.
CREATE TABLE @extschema@.pg_tview_acknowledgement (
    acknowledgement_id bigint      GENERATED ALWAYS AS IDENTITY,
    subscription_id    bigint      NOT NULL,
    position           pg_snapshot NOT NULL,
    upto               pg_snapshot,
    upto_xid           xid8,
    upto_change_id     bigint,
    upto_key           bigint,
    acknowledged_at    timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, acknowledgement_id)
);

-- Subscriptions for which changes were removed that they had not acknowledged.
CREATE TABLE @extschema@.pg_tview_lost_consumer (
    subscription_id bigint      PRIMARY KEY,
    lost_at         timestamptz NOT NULL
);

-- The greatest revisions among rows that were deleted of TVIEWs whose table has a column revision; the greatest of a TVIEW counts.
-- Append-only, without a unique index: sessions that delete rows do not wait for each other.
CREATE TABLE @extschema@.pg_tview_revision (
    tview_oid regclass NOT NULL,
    revision  bigint   NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE @extschema@.pg_tview_revision REPLICA IDENTITY FULL;
CREATE INDEX pg_tview_revision_tview_oid_revision_idx ON @extschema@.pg_tview_revision (tview_oid, revision);
-- Dumped: revisions do not go back by a restore either.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.pg_tview_revision', '');

-- Each role sees its own consumers, members of pg_monitor all.
CREATE VIEW @extschema@.pg_tview_consumer WITH (security_barrier) AS
SELECT s.consumer, s.owner::regrole AS owner, s.names, CASE WHEN l.lost_at IS NULL THEN 'active' ELSE 'resnapshot' END AS state,
       a.position, coalesce(clock_timestamp() - behind.since, '0') AS lag, behind.rows AS rows_behind, s.subscribed_at,
       a.acknowledged_at
  FROM @extschema@.pg_tview_subscription s
  LEFT JOIN @extschema@.pg_tview_lost_consumer l ON l.subscription_id = s.subscription_id
 CROSS JOIN LATERAL (
        SELECT newest.*
          FROM @extschema@.pg_tview_acknowledgement newest
         WHERE newest.subscription_id BETWEEN s.subscription_id AND s.subscription_id
         ORDER BY newest.subscription_id DESC, newest.acknowledgement_id DESC
         LIMIT 1) a
 CROSS JOIN LATERAL (
        SELECT count(*) AS rows, min(c.changed_at) AS since
          FROM @extschema@.pg_tview_change c
         WHERE NOT pg_visible_in_snapshot(c.xid, a.position)
           AND (s.names IS NULL OR c.entity_name = ANY (s.entities))
           AND NOT coalesce(pg_visible_in_snapshot(c.xid, a.upto) AND (c.xid, c.change_id) < (a.upto_xid, a.upto_change_id), false)) behind
 WHERE pg_has_role(s.owner, 'USAGE') OR pg_has_role('pg_monitor', 'USAGE');

-- So does the feed. Consumers read it by pg_tviews_changes(), which checks that they may read the tv table.
GRANT SELECT ON @extschema@.pg_tview_change TO PUBLIC;
ALTER TABLE @extschema@.pg_tview_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_monitoring ON @extschema@.pg_tview_change FOR SELECT
    USING (pg_catalog.pg_has_role('pg_monitor', 'USAGE')
           OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = tview_oid));
-- Numbers only. The owner of the database runs pg_dump.
GRANT SELECT ON @extschema@.pg_tview_revision TO PUBLIC;
-- The view shows each role its own consumers.
GRANT SELECT ON @extschema@.pg_tview_consumer TO PUBLIC;

CREATE FUNCTION @extschema@.pg_tviews_subscribe(consumer text, names text[] DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_subscribe_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_changes(consumer text, max_rows int DEFAULT 1000) RETURNS TABLE (
    entity_name text, operation text, key jsonb, origins text[], changed_at timestamptz, token text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'pg_tviews_changes_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_ack(consumer text, token text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_ack_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_unsubscribe(consumer text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_unsubscribe_wrapper';
CREATE FUNCTION @extschema@.pg_tviews_provenance(name text, key text) RETURNS TABLE (
    changed_at timestamptz, operation text, audit_id bigint, origins text[], changes_read bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'pg_tviews_provenance_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_subscribe(text, text[]) IS
    'Begins to keep changes of TVIEWs with a feed for a consumer: all that the calling statement does not see yet. Returns a token.';
COMMENT ON FUNCTION @extschema@.pg_tviews_changes(text, int) IS
    'The next changes for a consumer, each with the token that acknowledges it and all before it. Returns the same until they are acknowledged.';
COMMENT ON FUNCTION @extschema@.pg_tviews_ack(text, text) IS
    'Acknowledges the change that a token was returned with, and all before it. Takes effect with the calling transaction.';
COMMENT ON FUNCTION @extschema@.pg_tviews_unsubscribe(text) IS 'Removes a consumer of the change feed.';
COMMENT ON FUNCTION @extschema@.pg_tviews_provenance(text, text) IS
    'The changes of a row that are in the change feed, newest first, with the audit rows of their refreshes and where the changes came from.';
COMMENT ON TABLE @extschema@.pg_tview_change IS 'The change feed: which rows of TVIEWs with a feed were written. Consumers read it by pg_tviews_changes().';
COMMENT ON TABLE @extschema@.pg_tview_subscription IS 'The table behind pg_tview_consumer: who reads the change feed.';
COMMENT ON TABLE @extschema@.pg_tview_acknowledgement IS 'What consumers of the change feed have acknowledged. The newest row of each counts.';
COMMENT ON TABLE @extschema@.pg_tview_lost_consumer IS 'Consumers that have missed changes, as these were removed first. They have to subscribe again.';
COMMENT ON TABLE @extschema@.pg_tview_revision IS 'The greatest revisions among deleted rows of TVIEWs whose table has a column revision. New rows begin after them.';
COMMENT ON VIEW @extschema@.pg_tview_consumer IS 'Consumers of the change feed: what each has acknowledged, and how far behind it is.';

-- Bulk loads.
CREATE FUNCTION @extschema@.pg_tviews_bulk_load(source regclass) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_bulk_load_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_bulk_load(regclass) IS
    'Counts all rows of a table as changed, and no longer captures those that the calling transaction changes one by one.';
-- Reports for operators.
ALTER TABLE @extschema@.pg_tview_definition ADD COLUMN strategies text[] NOT NULL DEFAULT '{}';
CREATE FUNCTION @extschema@.pg_tviews_graph(name text DEFAULT NULL, format text DEFAULT 'mermaid') RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_graph_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_graph(text, text) IS
    'Which tables and TVIEWs feed which, as text that other programs draw: mermaid, dot or json. Of one TVIEW, or of all.';
CREATE FUNCTION @extschema@.pg_tviews_cost(since interval DEFAULT '1 hour') RETURNS TABLE (
    entity_name text, tview_oid regclass, source regclass, refreshes bigint, comparisons bigint, changes bigint, keys bigint,
    keys_per_change float8, seconds float8, worst_transactions jsonb)
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_cost_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_cost(interval) IS
    'What changes of each source have cost the refreshes of each TVIEW, with the transactions that cost most. From the audit table.';
CREATE FUNCTION @extschema@.pg_tviews_compare(name text, query text, max_rows int DEFAULT 100) RETURNS TABLE (
    key jsonb, change text, path text, old jsonb, new jsonb)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pg_tviews_compare_wrapper';
COMMENT ON FUNCTION @extschema@.pg_tviews_compare(text, text, int) IS
    'What another query for a TVIEW would change: rows inserted and deleted, and paths in rows that are updated. Changes nothing.';
CREATE FUNCTION @extschema@.pg_tviews_progress() RETURNS TABLE (
    pid int, datid oid, tview_oid oid, entity_name text, operation text, phase text, keys_total bigint, keys_done bigint,
    rows_total bigint, rows_read bigint, rows_written bigint, total_is_estimate boolean, started_at timestamptz,
    estimated_remaining interval)
    LANGUAGE c VOLATILE STRICT ROWS 10 COST 1000 AS 'MODULE_PATHNAME', 'pg_tviews_progress_wrapper';
-- Operations on TVIEWs that are running now, in all databases. The function returns the rows that the reader may see.
CREATE VIEW @extschema@.pg_tview_progress AS
SELECT p.pid, p.datid, d.datname, p.tview_oid, p.entity_name, p.operation, p.phase, p.keys_total, p.keys_done, p.rows_total,
       p.rows_read, p.rows_written, p.total_is_estimate, p.started_at, p.estimated_remaining
  FROM @extschema@.pg_tviews_progress() p
  LEFT JOIN pg_database d ON d.oid = p.datid;
GRANT SELECT ON @extschema@.pg_tview_progress TO PUBLIC;
COMMENT ON FUNCTION @extschema@.pg_tviews_progress() IS 'Rows of the view pg_tview_progress.';
COMMENT ON VIEW @extschema@.pg_tview_progress IS 'Operations on TVIEWs that are running now, and how far they are.';
-- For monitoring: names and meanings of these columns do not change, and columns are added at the end. The views show rows as the
-- functions return them, so a query of a view computes nothing that JIT would compile.
CREATE FUNCTION @extschema@.pg_tviews_metrics() RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 100 AS 'MODULE_PATHNAME', 'pg_tviews_metrics';
CREATE VIEW @extschema@.pg_tview_metrics AS SELECT * FROM @extschema@.pg_tviews_metrics() AS metrics (
    database text, schema_name text, entity_name text, tview_oid regclass, state text, bound_seconds float8,
    lag_seconds float8, pending_commits bigint, dead_letter_keys bigint, stored_group_reads bigint,
    refreshes bigint, changes_read bigint, keys_refreshed bigint,
    rows_inserted bigint, rows_updated bigint, rows_deleted bigint, rows_unchanged bigint,
    failures_lock bigint, failures_time bigint, failures_server bigint, failures_view bigint, failures_data bigint,
    lock_seconds float8, read_log_seconds float8, find_keys_seconds float8, recompute_seconds float8, record_seconds float8,
    commit_seconds float8, failed_seconds float8,
    latency_bounds float8[], latency_buckets bigint[], latency_sum float8, latency_count bigint, counted_since timestamptz,
    drifted_keys bigint, verified_at timestamptz);

CREATE FUNCTION @extschema@.pg_tviews_server_metrics() RETURNS SETOF record
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'pg_tviews_server_metrics';
CREATE VIEW @extschema@.pg_tview_server_metrics AS SELECT * FROM @extschema@.pg_tviews_server_metrics() AS metrics (
    database text, in_recovery boolean, preloaded boolean, launcher_alive boolean, refreshing boolean,
    workers_configured bigint, workers_running bigint, workers_busy bigint, workers_wanted bigint, waiting_seconds float8,
    worker_slots bigint, worker_slots_used bigint, tviews bigint, queue_bytes bigint, stored_groups bigint,
    xmin_age bigint, xmin_seconds float8, server_started_at timestamptz,
    throttled_transactions bigint, throttled_seconds float8);
-- The view shows each role its own TVIEWs. Processes and sizes of the server are for monitoring.
GRANT SELECT ON @extschema@.pg_tview_metrics TO PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_server_metrics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.pg_tviews_server_metrics() TO pg_monitor;
GRANT SELECT ON @extschema@.pg_tview_server_metrics TO pg_monitor;
COMMENT ON FUNCTION @extschema@.pg_tviews_metrics() IS 'Rows of the view pg_tview_metrics.';
COMMENT ON FUNCTION @extschema@.pg_tviews_server_metrics() IS 'The row of the view pg_tview_server_metrics.';
COMMENT ON VIEW @extschema@.pg_tview_metrics IS 'For monitoring: what refreshes of each TVIEW have done since the server started, and what waits.';
COMMENT ON VIEW @extschema@.pg_tview_server_metrics IS 'For monitoring: launcher, workers and log of this database.';

-- Back to the search_path of ALTER EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
