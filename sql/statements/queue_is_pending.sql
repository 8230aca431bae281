-- Whether the TVIEW (parameter 1) has not been filled yet, or has a visible change outside its position. A
-- TVIEW is filled again after it was redefined or gave up changes. Visible means visible in the snapshot
-- (parameter 2). Queue rows of the running transaction, from its own DDL, are not committed. A removed queue
-- row was absorbed by every TVIEW that reads its source.
SELECT newest.position IS NULL OR m.state = 'populating'
       OR newest.operation = 'give_up'
       -- All rows are being compared with the view. This is the first comparison, or one for a change that
       -- the snapshot may show.
       OR EXISTS (
            SELECT 1
              FROM @extschema@.pg_tview_comparison c
             WHERE c.tview_oid = m.tview_oid
               AND (c.populates OR least(c.oldest_xid, c.again_xid) < pg_snapshot_xmax($2::pg_snapshot)))
       OR EXISTS (
            SELECT 1
              FROM @extschema@.pg_tview_meta_audit later
             WHERE later.tview_oid = m.tview_oid AND later.audit_id > newest.audit_id
               AND later.operation IN ('create', 'redefine') AND later.position IS NULL)
       OR @extschema@.pg_tviews_is_queued((m.source_oids || m.tview_oid)::oid[], m.tview_oid, newest.position, $2::pg_snapshot)
  FROM @extschema@.pg_tview_definition m
  LEFT JOIN LATERAL (
        SELECT a.position, a.operation, a.audit_id
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1) newest ON true
 WHERE m.tview_oid = $1
