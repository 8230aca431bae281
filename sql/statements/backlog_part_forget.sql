-- Deletes parts of backlogs that no session waits for any more. Their TVIEW was dropped, or has another
-- position by now.
DELETE FROM @extschema@.pg_tview_backlog_part p
 WHERE NOT EXISTS (
    SELECT 1
      FROM @extschema@.pg_tview_definition m,
           LATERAL (SELECT a.position
                      FROM @extschema@.pg_tview_meta_audit a
                     WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
                     ORDER BY a.tview_oid DESC, a.audit_id DESC
                     LIMIT 1) newest
     WHERE m.tview_oid = p.tview_oid AND newest.position::text = p.before::text)
