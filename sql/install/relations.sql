-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Refuses a database whose encoding is not the one that the library uses for text.
CREATE FUNCTION @extschema@.pg_tviews_check_encoding() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'pg_tviews_check_encoding_wrapper';
SELECT @extschema@.pg_tviews_check_encoding();
DROP FUNCTION @extschema@.pg_tviews_check_encoding();

-- One row per TVIEW. Only the extension writes or locks these rows. Roles use the view pg_tview_meta.
-- strategies: how changes of each of source_oids are followed, for reports.
CREATE TABLE @extschema@.pg_tview_definition (
    entity_name     text        NOT NULL,
    tview_oid       regclass    PRIMARY KEY,
    view_oid        regclass    NOT NULL,
    key_columns     text[]      NOT NULL,
    fk_columns      text[]      NOT NULL DEFAULT '{}',
    max_latency     interval,
    state           text        NOT NULL CHECK (state IN ('populating', 'active', 'paused', 'suspended')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    view_schema     name        NOT NULL,
    view_name       name        NOT NULL,
    view_created    boolean     NOT NULL,
    source_oids     regclass[]  NOT NULL DEFAULT '{}',
    pinned_settings jsonb       NOT NULL DEFAULT '{}',
    definition_hash text        NOT NULL DEFAULT '',
    table_created   boolean     NOT NULL DEFAULT false,
    feed            boolean     NOT NULL DEFAULT false,
    throttle_lag    interval,
    refresh_group   text,
    strategies      text[]      NOT NULL DEFAULT '{}'
);
-- By these indexes the event triggers find out that a command affects no TVIEW.
CREATE INDEX pg_tview_definition_view_oid_idx ON @extschema@.pg_tview_definition (view_oid);
CREATE INDEX pg_tview_definition_view_name_idx ON @extschema@.pg_tview_definition (view_name, view_schema);
CREATE INDEX pg_tview_definition_suspended_idx ON @extschema@.pg_tview_definition (state) WHERE state = 'suspended';
CREATE INDEX pg_tview_definition_text_search_idx ON @extschema@.pg_tview_definition ((pinned_settings ->> 'default_text_search_config'))
    WHERE pinned_settings ->> 'default_text_search_config' ~ '\.' AND pinned_settings ->> 'default_text_search_config' !~ '^pg_catalog\.';
-- Dumped. The contents of the other tables are derived again after a restore, or mean nothing in another database.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.pg_tview_definition', '');

-- The definitions as users see them. Owners may update fk_columns, max_latency, feed, refresh_group and throttle_lag, through the trigger of the view. The
-- WITH query is needed: SELECT ... FOR UPDATE does not lock rows through it.
CREATE VIEW @extschema@.pg_tview_meta AS
WITH definition AS (
    SELECT entity_name, tview_oid, view_oid, key_columns, fk_columns, max_latency, state, created_at, view_schema,
           view_name, view_created, source_oids, pinned_settings, definition_hash, feed, throttle_lag, refresh_group
      FROM @extschema@.pg_tview_definition
)
SELECT * FROM definition;

-- Committed changes that at least one TVIEW has not absorbed yet. keys: a JSON array of change keys,
-- each an object of captured column values; NULL: any row of the source may have changed.
-- net: images of rows, each with how often the transaction has added (positive) or removed it; NULL: unknown. A transaction
-- is unknown if one of its rows for the source is.
-- origin: the setting pg_tviews.origin of the session, NULL if not set.
CREATE TABLE @extschema@.pg_tview_queue (
    xid         xid8        NOT NULL,
    source_oid  regclass    NOT NULL,
    operation   text        NOT NULL,
    keys        jsonb,
    enqueued_at timestamptz NOT NULL,
    net         json,
    origin      text
) USING heap WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
-- Writers would pay for compression, and the rows are removed again soon.
ALTER TABLE @extschema@.pg_tview_queue ALTER COLUMN keys SET STORAGE EXTERNAL;
ALTER TABLE @extschema@.pg_tview_queue ALTER COLUMN net SET STORAGE EXTERNAL;
-- Where the table is published (FOR ALL TABLES), DELETE needs a replica identity.
ALTER TABLE @extschema@.pg_tview_queue REPLICA IDENTITY FULL;

-- The table has no index, as each writer would pay for it. These functions read only the blocks that can have such rows, and
-- conflict with no writer if the transaction is SERIALIZABLE.
-- The rows of some sources (NULL: of all) whose transactions the snapshot does not see (NULL: of all transactions).
CREATE FUNCTION @extschema@.pg_tviews_queued(sources oid[], since pg_snapshot) RETURNS SETOF @extschema@.pg_tview_queue
    LANGUAGE c STABLE ROWS 100 AS 'MODULE_PATHNAME', 'pg_tviews_queued';
-- Whether there is such a row by another transaction that the snapshot "seen" (NULL: any) sees. If a TVIEW is named, its own rows
-- count if they are requests, and other rows if they are not.
CREATE FUNCTION @extschema@.pg_tviews_is_queued(sources oid[], tview oid, since pg_snapshot, seen pg_snapshot) RETURNS boolean
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'pg_tviews_is_queued';

-- Append-only: one row per refresh and per management action. The newest row of a TVIEW with a position holds that TVIEW's
-- position in the log, the number of refreshes so far, and the number of rows they wrote.
CREATE TABLE @extschema@.pg_tview_meta_audit (
    audit_id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_name        text        NOT NULL,
    tview_oid          oid         NOT NULL,
    operation          text        NOT NULL,
    status             text        NOT NULL,
    changes_read       bigint,
    keys_refreshed     bigint,
    rows_inserted      bigint,
    rows_updated       bigint,
    rows_deleted       bigint,
    rows_unchanged     bigint,
    oldest_change_at   timestamptz,
    started_at         timestamptz NOT NULL,
    finished_at        timestamptz NOT NULL,
    worker_pid         int,
    sqlstate           text,
    message            text,
    details            jsonb,
    position           pg_snapshot,
    total_refreshes    bigint,
    total_rows_written bigint,
    origins            text[]
);
-- Statements that read the newest row of a TVIEW ask for "tview_oid BETWEEN x AND x ORDER BY tview_oid DESC, audit_id DESC".
-- With "tview_oid = x" the planner may use the primary key instead, and read all later rows of other TVIEWs.
CREATE INDEX pg_tview_meta_audit_tview_oid_audit_id_idx ON @extschema@.pg_tview_meta_audit (tview_oid, audit_id);
-- The few rows that record whether a TVIEW has to be filled, and why it is not refreshed.
CREATE INDEX pg_tview_meta_audit_definition_idx ON @extschema@.pg_tview_meta_audit (tview_oid, audit_id)
    WHERE operation IN ('create', 'redefine', 'give_up', 'suspend');
CREATE INDEX pg_tview_meta_audit_finished_at_idx ON @extschema@.pg_tview_meta_audit (finished_at);

-- Parts of a large backlog while several workers apply it. The position of the TVIEW moves when all parts are done. The table
-- is unlogged: after a crash the backlog is read again.
CREATE UNLOGGED TABLE @extschema@.pg_tview_backlog_part (
    tview_oid      oid         NOT NULL,
    part           int         NOT NULL,
    keys           text        NOT NULL,
    before         pg_snapshot,
    worker_pid     int,
    finished_at    timestamptz,
    rows_inserted  bigint,
    rows_updated   bigint,
    rows_deleted   bigint,
    rows_unchanged bigint,
    PRIMARY KEY (tview_oid, part)
);

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

-- Running comparisons of all rows of a large TVIEW. They go from key to key in batches, each in a transaction of its own, and
-- changes are applied in between. A row stays until its comparison is complete, and survives a crash.
CREATE TABLE @extschema@.pg_tview_comparison (
    tview_oid        oid         PRIMARY KEY,
    populates        boolean     NOT NULL,
    by_range         boolean     NOT NULL,
    compared_to      text,
    keys_at_once     int         NOT NULL,
    held_keys        text,
    oldest_xid       xid8,
    oldest_change_at timestamptz,
    changes_read     bigint,
    again_xid        xid8,
    again_change_at  timestamptz,
    again_changes    bigint,
    started_at       timestamptz NOT NULL,
    batches          int         NOT NULL DEFAULT 0,
    rows_expected    bigint      NOT NULL,
    rows_inserted    bigint      NOT NULL DEFAULT 0,
    rows_updated     bigint      NOT NULL DEFAULT 0,
    rows_deleted     bigint      NOT NULL DEFAULT 0,
    rows_unchanged   bigint      NOT NULL DEFAULT 0,
    sqlstate         text,
    message          text,
    details          jsonb
);

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

-- Keys that could not be recomputed while all others were. A key that succeeds is removed.
CREATE TABLE @extschema@.pg_tview_dead_letter (
    entity_name     text        NOT NULL,
    tview_oid       oid         NOT NULL,
    key             jsonb       NOT NULL,
    sqlstate        text        NOT NULL,
    message         text        NOT NULL,
    attempts        int         NOT NULL,
    first_failed_at timestamptz NOT NULL,
    last_failed_at  timestamptz NOT NULL,
    next_retry_at   timestamptz NOT NULL
);
ALTER TABLE @extschema@.pg_tview_dead_letter REPLICA IDENTITY FULL;
-- A key may be too long for an index entry.
CREATE UNIQUE INDEX pg_tview_dead_letter_tview_oid_md5_idx ON @extschema@.pg_tview_dead_letter (tview_oid, md5(key::text));

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

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
