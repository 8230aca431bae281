-- Whether TVIEW $1 has been created or redefined, or has given up changes, since its rows were last brought in line with
-- the whole view.
SELECT NOT EXISTS (
        SELECT 1
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid = $1 AND a.position IS NOT NULL AND a.operation <> 'give_up'
           AND NOT EXISTS (
                SELECT 1
                  FROM @extschema@.pg_tview_meta_audit later
                 WHERE later.tview_oid = $1 AND later.audit_id > a.audit_id
                   AND (later.operation = 'give_up'
                        OR later.operation IN ('create', 'redefine') AND later.position IS NULL)))
