-- Deletes definitions whose tv table was dropped, with their dead keys and running comparisons. Returns those
-- with a feed, and those whose view was created by the extension and exists: its name.
WITH gone AS (
    DELETE FROM @extschema@.pg_tview_definition m
     WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = m.tview_oid)
    RETURNING m.tview_oid, m.entity_name, m.feed AS feed,
              (SELECT m.view_oid::text FROM pg_catalog.pg_class v
                WHERE v.oid = m.view_oid AND v.relkind = 'v' AND m.view_created) AS view),
     compared AS (
    DELETE FROM @extschema@.pg_tview_comparison c USING gone WHERE c.tview_oid = gone.tview_oid),
     dead AS (
    DELETE FROM @extschema@.pg_tview_dead_letter d USING gone WHERE d.tview_oid = gone.tview_oid)
SELECT gone.tview_oid::oid, gone.entity_name, gone.feed, gone.view FROM gone WHERE gone.feed OR gone.view IS NOT NULL
