-- Deletes audit rows that finished too long ago. Parameters: 1 the maximum number of rows, 2 the age in
-- seconds.
-- The newest row of a TVIEW with a position stays, because it is the position. The newest row of a creation
-- or redefinition stays, too. Until a row with a position follows, it means that the rows are not those of
-- the view.
DELETE FROM @extschema@.pg_tview_meta_audit
 WHERE ctid = ANY (ARRAY(
    SELECT a.ctid
      FROM @extschema@.pg_tview_meta_audit a
     WHERE a.finished_at < now() - make_interval(secs => $2)
       AND (NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = a.tview_oid)
            OR (a.position IS NULL
                OR a.audit_id < (
                    SELECT newest.audit_id
                      FROM @extschema@.pg_tview_meta_audit newest
                     WHERE newest.tview_oid BETWEEN a.tview_oid AND a.tview_oid AND newest.position IS NOT NULL
                     ORDER BY newest.tview_oid DESC, newest.audit_id DESC
                     LIMIT 1))
           AND (a.operation NOT IN ('create', 'redefine')
                OR a.audit_id < (
                    SELECT newest.audit_id
                      FROM @extschema@.pg_tview_meta_audit newest
                     WHERE newest.tview_oid BETWEEN a.tview_oid AND a.tview_oid
                       AND newest.operation IN ('create', 'redefine')
                     ORDER BY newest.tview_oid DESC, newest.audit_id DESC
                     LIMIT 1)))
     ORDER BY a.finished_at
     LIMIT $1))
