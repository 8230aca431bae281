-- Whether what the running command has dropped may concern a TVIEW. It does not if there is no backing view and no tv table among it, no trigger of
-- ours, which tables that TVIEWs read have, nothing that a TVIEW depends on without being dropped, too, and none of the defaults of
-- refreshes. Views go with whatever they depend on. A view that fails may work without any of it.
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
