-- What a refresh reads about the TVIEW (parameter 1). Columns:
-- - state, registered fingerprint, snapshot of this query, position
-- - whether some keys are dead
-- - whether the running comparison of all rows is a population, NULL if none is running
-- - the rows that the newest refresh left out
-- - its group, and how many members the group has
-- - the stage that the running comparison writes, and the run of the server that it is of; NULL if it writes the tv table
SELECT m.state, m.definition_hash, pg_current_snapshot()::text, newest.position::text,
       EXISTS (SELECT 1 FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = m.tview_oid),
       c.populates, (newest.details -> 'left_out')::text,
       m.refresh_group,
       CASE WHEN m.refresh_group IS NOT NULL
            THEN (SELECT count(*) FROM @extschema@.pg_tview_definition o WHERE o.refresh_group = m.refresh_group) END,
       c.stage, c.server_run
  FROM @extschema@.pg_tview_definition m
  LEFT JOIN @extschema@.pg_tview_comparison c ON c.tview_oid = m.tview_oid
  LEFT JOIN LATERAL (
        SELECT a.position, a.details
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
 WHERE m.tview_oid = $1
