gone AS MATERIALIZED (
    SELECT d.classid, d.objid, d.object_type, d.schema_name, d.object_name, d.address_names, d.address_args
      FROM pg_catalog.pg_event_trigger_dropped_objects() d
     WHERE NOT d.is_temporary
), seed (class, object) AS (
    -- Of the objects that the running command dropped, those that a TVIEW may depend on. These are relations,
    -- tables that had a policy, types with a dropped way of comparing, and types with a dropped cast to JSON.
    SELECT gone.classid, gone.objid FROM gone WHERE gone.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid
      FROM gone
      JOIN pg_catalog.pg_namespace n ON n.nspname = gone.address_names[1]
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = gone.address_names[2]
     WHERE gone.object_type = 'policy'
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, to_regtype(type.name)
      FROM gone
     CROSS JOIN unnest(gone.address_args) type(name)
     WHERE gone.object_type IN ('operator of access method', 'function of access method') AND to_regtype(type.name) IS NOT NULL
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, to_regtype(gone.address_names[1])
      FROM gone
     WHERE gone.object_type = 'cast' AND gone.address_args[1] IN ('json', 'pg_catalog.json') AND to_regtype(gone.address_names[1]) IS NOT NULL
)
