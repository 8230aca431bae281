-- SQLSTATE, message and hint of the error for which the TVIEW (parameter 1) was last suspended.
SELECT a.sqlstate || ': ' || a.message, a.details->>'hint'
  FROM @extschema@.pg_tview_meta_audit a
 WHERE a.tview_oid BETWEEN $1 AND $1 AND a.operation = 'suspend'
 ORDER BY a.tview_oid DESC, a.audit_id DESC
 LIMIT 1
