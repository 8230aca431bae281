-- Since when the rows of the TVIEW (parameter 1) must be brought in line with the whole view. This is the
-- time of its creation or redefinition, or of the first change that was given up.
SELECT coalesce((a.details ->> 'oldest_change_at')::timestamptz, a.started_at)
  FROM @extschema@.pg_tview_meta_audit a
 WHERE a.tview_oid BETWEEN $1 AND $1 AND a.operation IN ('create', 'redefine', 'give_up')
 ORDER BY a.tview_oid DESC, a.audit_id DESC
 LIMIT 1
