-- Dropped objects of kinds that a TVIEW depends on without a trace in pg_depend: how a type becomes JSON or is compared, how bytes become text.
SELECT d.objid
  FROM pg_catalog.pg_event_trigger_dropped_objects() d
 WHERE NOT d.is_temporary
   AND (d.object_type IN ('operator class', 'operator family', 'operator of access method', 'function of access method')
        OR d.object_type = 'cast' AND d.address_args[1] IN ('json', 'pg_catalog.json')
        OR d.object_type IN ('conversion', 'text search configuration') AND d.address_names[1] = 'pg_catalog')
