-- What only tables have of all TVIEWs, for pg_tview_metrics. Dead keys are counted up to 1000 for each TVIEW, and only TVIEWs with
-- dead keys are looked up: no scan is longer than that. pg_class is not joined: that would read all of its index.
WITH RECURSIVE failing AS (
    (SELECT d.tview_oid FROM @extschema@.pg_tview_dead_letter d ORDER BY d.tview_oid LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tview_oid FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid > f.tview_oid ORDER BY d.tview_oid LIMIT 1)
      FROM failing f WHERE f.tview_oid IS NOT NULL
), dead AS MATERIALIZED (
    SELECT f.tview_oid,
           (SELECT count(*)
              FROM (SELECT FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = f.tview_oid LIMIT 1000) counted) AS keys
      FROM failing f WHERE f.tview_oid IS NOT NULL
)
SELECT m.entity_name, m.tview_oid::oid, m.state, extract(epoch FROM m.max_latency)::float8, m.source_oids::oid[],
       coalesce(d.keys, 0), coalesce(p.helped, 0), coalesce(v.drifted_keys, 0), v.verified_at, (SELECT pg_catalog.current_database()::text)
  FROM @extschema@.pg_tview_definition m
  LEFT JOIN dead d ON d.tview_oid = m.tview_oid
  LEFT JOIN @extschema@.pg_tview_running_position p ON p.tview_oid = m.tview_oid
  LEFT JOIN @extschema@.pg_tview_verification v ON v.tview_oid = m.tview_oid
 ORDER BY m.tview_oid::oid
