(
        -- Since when all rows of the TVIEW wait to be compared with its view, and the row of the audit that says so. A TVIEW that
        -- has not been filled for the first time does so since ever. One that was redefined, or gave up changes, does so since then.
        SELECT a.audit_id,
               CASE WHEN a.operation <> 'create' THEN coalesce((a.details ->> 'oldest_change_at')::timestamptz, a.started_at) END AS since
          FROM @extschema@.pg_tview_meta_audit a
         WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.operation IN ('create', 'redefine', 'give_up')
           AND (a.operation = 'give_up' OR a.position IS NULL)
         ORDER BY a.tview_oid DESC, a.audit_id DESC
         LIMIT 1)
