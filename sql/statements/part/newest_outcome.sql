(
        -- How the newest refresh of the TVIEW ended, or the newest attempt at a refresh.
        SELECT a.status, a.sqlstate || ': ' || a.message AS error, a.details ->> 'hint' AS hint
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid
           AND a.operation IN ('refresh', 'populate', 'suspend', 'resume', 'give_up')
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1)
