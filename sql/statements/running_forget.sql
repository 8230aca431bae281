-- Deletes stored groups of TVIEWs that no longer exist.
WITH gone AS MATERIALIZED (
    SELECT p.tview_oid
      FROM @extschema@.pg_tview_running_position p
     WHERE NOT EXISTS (SELECT FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = p.tview_oid)
), groups AS (
    DELETE FROM @extschema@.pg_tview_running s USING gone WHERE s.tview_oid = gone.tview_oid
)
DELETE FROM @extschema@.pg_tview_running_position p USING gone WHERE p.tview_oid = gone.tview_oid
