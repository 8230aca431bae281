-- Changes of a row of the TVIEW (parameter 1) that are in the feed, newest first. Parameter 2: its key, as a JSON
-- object.
SELECT c.changed_at, c.operation, c.audit_id, c.origins, a.changes_read
  FROM @extschema@.pg_tview_change c
  LEFT JOIN @extschema@.pg_tview_meta_audit a ON a.audit_id = c.audit_id
 WHERE c.tview_oid = $1 AND (c.keys IS NULL OR c.keys @> jsonb_build_array($2::jsonb))
 ORDER BY c.xid DESC, c.change_id DESC
