-- State, position and registered fingerprint of TVIEW $1, and the snapshot this is read in.
SELECT m.state, m.definition_hash, pg_current_snapshot()::text,
       (SELECT a.position::text
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid = m.tview_oid AND a.position IS NOT NULL
         ORDER BY a.audit_id DESC
         LIMIT 1)
  FROM @extschema@.pg_tview_meta m
 WHERE m.tview_oid = $1
