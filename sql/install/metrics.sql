-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

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

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
