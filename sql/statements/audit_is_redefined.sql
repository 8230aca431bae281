-- Whether the rows of the TVIEW (parameter 1) are to follow another definition that a call has given it, and
-- no comparison with that definition has begun yet.
SELECT EXISTS (
        SELECT 1
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN $1 AND $1 AND a.operation = 'redefine' AND a.position IS NULL
           AND a.details ? 'function'
           AND a.audit_id > (SELECT newest.audit_id
                               FROM @extschema@.pg_tview_meta_audit newest
                              WHERE newest.tview_oid BETWEEN $1 AND $1
                                AND newest.position IS NOT NULL AND newest.operation <> 'give_up'
                              ORDER BY newest.tview_oid DESC, newest.audit_id DESC
                              LIMIT 1))
