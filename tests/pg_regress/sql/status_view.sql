-- pg_tview_status tells the truth: pending changes, lag, bound, counts.
SET client_min_messages = warning;
CREATE SCHEMA status_view;
SET search_path = status_view, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user', max_latency => '1 hour');
CALL pg_tviews_drain();
CREATE VIEW seen AS
SELECT entity_name, tview_oid::regclass, state, pending_changes, oldest_pending_at IS NOT NULL AS has_oldest, coalesce(lag, '0') < '1 minute' AS small_lag, max_latency, within_bound,
       last_refresh_at > now() - interval '1 hour' AS refreshed, latency_p50_ms <= latency_p95_ms AND latency_p95_ms <= latency_p99_ms AS percentiles, refreshes, rows_written, last_error
  FROM pg_tview_status WHERE tview_oid = 'tv_user'::regclass;
\x on
SELECT * FROM seen;
UPDATE tb_user SET name = 'x'; 
UPDATE tb_user SET name = 'y';
SELECT * FROM seen;
CALL pg_tviews_drain();
SELECT * FROM seen;
SELECT pg_tviews_pause('user');
UPDATE tb_user SET name = 'z';
SELECT * FROM seen;

DROP SCHEMA status_view CASCADE;
