-- Once everything is applied: the rows that differ between each TVIEW and its view, and how late rows have been.
SELECT pg_tviews_wait() AS visible \gset
SELECT s.entity_name AS tview, count(c.key) AS differences, s.refreshes, s.rows_written,
       round(s.latency_p50_ms) AS median_ms, round(s.latency_p99_ms) AS p99_ms
  FROM pg_tview_status s LEFT JOIN LATERAL pg_tviews_check(s.entity_name) c ON true
 GROUP BY s.entity_name, s.refreshes, s.rows_written, s.latency_p50_ms, s.latency_p99_ms
 ORDER BY 1;
SELECT NOT :'visible'::boolean OR count(*) > 0 AS failed
  FROM pg_tview_meta m, LATERAL pg_tviews_check(m.entity_name) c \gset
\if :failed
    DO $$ BEGIN RAISE EXCEPTION 'a table is not equal to its view'; END $$;
\endif
