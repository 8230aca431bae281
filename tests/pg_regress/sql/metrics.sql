-- pg_tview_metrics and pg_tview_server_metrics: their rows, and who sees which. This server does not preload the library, so nothing is
-- counted: these columns are NULL.
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, divisor int NOT NULL DEFAULT 1);
INSERT INTO tb_item VALUES (1, 'one', 1), (2, 'two', 1);
SELECT pg_tviews_create('item', 'SELECT pk_item, jsonb_build_object(''name'', name, ''share'', 100 / divisor) AS data FROM tb_item',
                        max_latency => '2 s');
UPDATE tb_item SET name = 'uno', divisor = 0 WHERE pk_item = 1;
CALL pg_tviews_drain();
SELECT database = current_database() AS database, schema_name = current_schema() AS schema, entity_name, tview_oid, state, bound_seconds,
       lag_seconds, pending_commits, dead_letter_keys, stored_group_reads, refreshes, latency_bounds, counted_since,
       drifted_keys, verified_at
  FROM pg_tview_metrics;
SELECT num_nonnulls(VARIADIC ARRAY[lag_seconds, pending_commits, refreshes, changes_read, keys_refreshed, rows_inserted, rows_updated, rows_deleted,
       rows_unchanged, failures_lock, failures_time, failures_server, failures_view, failures_data, lock_seconds, read_log_seconds,
       find_keys_seconds, recompute_seconds, record_seconds, commit_seconds, failed_seconds, latency_sum,
       latency_count]) AS counted FROM pg_tview_metrics;

-- The row of the server.
SELECT database = current_database() AS database, in_recovery, preloaded, launcher_alive, refreshing, workers_configured, workers_running,
       workers_busy, workers_wanted, waiting_seconds, worker_slots > 0 AS slots, worker_slots_used BETWEEN 1 AND worker_slots AS used,
       tviews, queue_bytes >= 0 AS queue, stored_groups, xmin_age >= 0 AS xids, xmin_seconds >= 0 AS seconds,
       server_started_at = pg_postmaster_start_time() AS started, throttled_transactions, throttled_seconds
  FROM pg_tview_server_metrics;

-- More dead keys than are counted, of two TVIEWs.
CREATE TABLE tb_other (pk_other int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_other SELECT i, i FROM generate_series(1, 1200) i;
SELECT pg_tviews_create('other', 'SELECT pk_other, jsonb_build_object(''share'', 1 / n) AS data FROM tb_other');
UPDATE tb_other SET n = CASE WHEN pk_other <= 1100 THEN 0 ELSE n + 1 END;
SET client_min_messages = error;
CALL pg_tviews_drain();
RESET client_min_messages;
SELECT entity_name, dead_letter_keys FROM pg_tview_metrics ORDER BY 1;
SELECT pg_tviews_drop('other');
DROP TABLE tb_other;

-- Owners see their own TVIEWs, members of pg_monitor all of them and the server.
CREATE ROLE regress_metrics_nobody;
CREATE ROLE regress_metrics_monitor IN ROLE pg_monitor;
SELECT 'GRANT USAGE ON SCHEMA ' || quote_ident(nspname) || ' TO regress_metrics_nobody, regress_metrics_monitor' AS grant
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'pg_tviews' \gexec
SET ROLE regress_metrics_nobody;
SELECT count(*) FROM pg_tview_metrics;
SELECT count(*) FROM pg_tview_server_metrics;
SELECT * FROM pg_tviews_server_metrics() AS m (database text);
SET ROLE regress_metrics_monitor;
SELECT count(*) FROM pg_tview_metrics;
SELECT count(*) FROM pg_tview_server_metrics;
RESET ROLE;
ALTER TABLE tv_item OWNER TO regress_metrics_nobody;
SET ROLE regress_metrics_nobody;
SELECT entity_name FROM pg_tview_metrics;
RESET ROLE;

-- The views know the columns. Other types are refused before they are read as such.
SELECT * FROM pg_tviews_metrics() AS m (database text);
SELECT * FROM pg_tviews_server_metrics() AS m (database int, in_recovery text);
SELECT pg_tviews_metrics();

SELECT pg_tviews_drop('item');
SELECT count(*) FROM pg_tview_metrics;
DROP TABLE tb_item;
DROP OWNED BY regress_metrics_nobody, regress_metrics_monitor;
DROP ROLE regress_metrics_nobody, regress_metrics_monitor;
