-- TVIEWs that a role (parameter 1) sees in pg_tview_metrics, with what only tables have. Dead keys are counted up to 1000 for
-- each TVIEW, and only TVIEWs with dead keys are looked up: no scan is longer than that.
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
SELECT pg_catalog.current_database()::text, n.nspname::text, m.entity_name, m.tview_oid::oid, m.state,
       extract(epoch FROM m.max_latency)::float8, m.source_oids::oid[], coalesce(d.keys, 0), coalesce(p.helped, 0),
       coalesce(v.drifted_keys, 0), v.verified_at
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN dead d ON d.tview_oid = m.tview_oid
  LEFT JOIN @extschema@.pg_tview_running_position p ON p.tview_oid = m.tview_oid
  LEFT JOIN @extschema@.pg_tview_verification v ON v.tview_oid = m.tview_oid
 WHERE (SELECT pg_catalog.pg_has_role($1, 'pg_monitor', 'USAGE')) OR pg_catalog.pg_has_role($1, c.relowner, 'USAGE')
 ORDER BY m.tview_oid::oid
