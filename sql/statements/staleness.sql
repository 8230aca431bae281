-- What the snapshot shows of the TVIEWs in parameter 1. Columns:
-- - the TVIEW and its state
-- - its position, NULL if it was never filled
-- - since when all of its rows are out of date, NULL if they are not. A TVIEW that has not been filled for the
--   first time is so since ever. One that was redefined, or gave up changes, is so since then.
-- - since when rows are out of date that are still being compared with the view, NULL if none are
-- - whether some keys are dead
-- - its sources
SELECT m.tview_oid::oid, m.state, newest.position,
       CASE WHEN newest.position IS NULL THEN '-infinity'
            WHEN m.state = 'populating' OR newest.operation = 'give_up' OR c.populates OR unfilled.audit_id > newest.audit_id
            THEN coalesce(unfilled.since, '-infinity') END,
       least(c.oldest_change_at, c.again_change_at),
       EXISTS (SELECT 1 FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = m.tview_oid),
       m.source_oids::oid[]
  FROM @extschema@.pg_tview_definition m
  LEFT JOIN LATERAL (
        SELECT a.position, a.operation, a.audit_id
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
  LEFT JOIN LATERAL @unfilled@ unfilled ON true
  LEFT JOIN @extschema@.pg_tview_comparison c ON c.tview_oid = m.tview_oid
 WHERE m.tview_oid = ANY ($1)
