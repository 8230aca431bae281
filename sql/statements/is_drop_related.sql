-- Whether what the running command has dropped may concern a TVIEW. It does not if it is none of the objects that matter by themselves, nor a
-- tv table, a backing view, or a trigger of ours, which tables that TVIEWs read have. Views go with whatever they depend on.
SELECT EXISTS (
    SELECT 1
      FROM pg_catalog.pg_event_trigger_dropped_objects() d
     WHERE NOT d.is_temporary
       AND (d.object_type NOT IN ('table', 'index', 'sequence', 'view', 'materialized view', 'toast table', 'table column', 'table constraint',
                                  'default value', 'type', 'composite type', 'rule', 'trigger', 'statistics object', 'function', 'procedure')
            OR d.object_type = 'trigger' AND d.address_names[3] LIKE 'pg\_tviews\_%'
            OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND (EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = d.objid::pg_catalog.regclass)
                OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.view_oid = d.objid::pg_catalog.regclass)
                OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.view_schema = d.schema_name AND m.view_name = d.object_name))))
