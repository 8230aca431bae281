-- Whether the objects that the running command has dropped may affect a TVIEW. They do not if none of them is
-- one of these:
-- - a backing view or a tv table
-- - a trigger of the extension, as on tables that TVIEWs read
-- - an object that a TVIEW depends on, if the TVIEW was not dropped, too
-- - a default of refreshes
-- A view is dropped together with any object it depends on. A failing view may work once any object is
-- dropped.
WITH RECURSIVE @dropped@, @touched@
SELECT EXISTS (SELECT 1 FROM tview)
    OR EXISTS (SELECT 1
                 FROM gone
                WHERE gone.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m
                               WHERE m.view_schema = gone.schema_name AND m.view_name = gone.object_name
                              OFFSET 0))
    OR EXISTS (SELECT 1 FROM gone
                WHERE gone.object_type = 'trigger' AND gone.address_names[3] LIKE 'pg\_tviews\_%'
                   OR gone.object_type IN ('conversion', 'text search configuration') AND gone.address_names[1] = 'pg_catalog')
    OR EXISTS (SELECT 1 FROM gone) AND EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition WHERE state = 'suspended')
