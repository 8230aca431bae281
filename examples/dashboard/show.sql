-- Changes to the tables, and the rows that follow them.

\pset linestyle unicode
\pset footer off

\echo
\echo '--- Before: a site, a day of it, and the total'
SELECT name, requests, errors, round(mean_duration, 1) AS mean_duration, longest, bytes FROM tv_site WHERE pk_site = 3;
SELECT day, requests, errors FROM tv_site_day WHERE fk_site = 3 AND day = '2026-01-07';
SELECT requests, errors, bytes FROM tv_total;
SELECT data ->> 'site' AS site, data -> 'days' -> 6 AS seventh_day FROM tv_site_page WHERE pk_site_page = 3;

\echo '--- Changes: a slow request with an error, and another name'
\set ECHO queries
INSERT INTO tb_request (fk_site, day, status, duration, bytes) VALUES (3, '2026-01-07', 503, 9000, 512);
UPDATE tb_site SET name = 'shop.example' WHERE pk_site = 3;
\set ECHO none

SELECT pg_tviews_wait() AS visible \gset
\if :visible
\else
    \warn 'The changes are not visible after 30 seconds: is pg_tviews in shared_preload_libraries?'
\endif

\echo
\echo '--- After: the same'
SELECT name, requests, errors, round(mean_duration, 1) AS mean_duration, longest, bytes FROM tv_site WHERE pk_site = 3;
SELECT day, requests, errors FROM tv_site_day WHERE fk_site = 3 AND day = '2026-01-07';
SELECT requests, errors, bytes FROM tv_total;
SELECT data ->> 'site' AS site, data -> 'days' -> 6 AS seventh_day FROM tv_site_page WHERE pk_site_page = 3;

\echo '--- Which aggregates are stored and moved on, and how many groups are stored'
SELECT t.entity_name AS tview, e.source, e.strategy, e.running_aggregates FROM pg_tview_meta t, pg_tviews_explain(t.entity_name) e ORDER BY 1, 2;
SELECT entity_name AS tview, stored_groups, stored_group_reads FROM pg_tview_status ORDER BY 1;
