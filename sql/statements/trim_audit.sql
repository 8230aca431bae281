-- Deletes audit rows, at most $1, that finished more than $2 seconds ago. The newest row of a TVIEW that
-- carries a position stays: it is the position. So does the newest that tells of its creation or redefinition: until
-- a row with a position follows, it says that the rows are not those of the view.
DELETE FROM @extschema@.pg_tview_meta_audit
 WHERE ctid = ANY (ARRAY(
    SELECT a.ctid
      FROM @extschema@.pg_tview_meta_audit a
     WHERE a.finished_at < now() - make_interval(secs => $2)
       AND (a.position IS NULL
            OR NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta m WHERE m.tview_oid = a.tview_oid)
            OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit newer
                        WHERE newer.tview_oid = a.tview_oid AND newer.position IS NOT NULL
                          AND newer.audit_id > a.audit_id))
       AND NOT (a.operation IN ('create', 'redefine')
                AND EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta m WHERE m.tview_oid = a.tview_oid)
                AND NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit newer
                                 WHERE newer.tview_oid = a.tview_oid AND newer.operation IN ('create', 'redefine')
                                   AND newer.audit_id > a.audit_id))
     ORDER BY a.finished_at
     LIMIT $1))
