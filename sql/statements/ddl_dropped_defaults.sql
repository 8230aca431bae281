-- Dropped objects that every TVIEW depends on without an entry in pg_depend. They decide how bytes are
-- converted to text, and text to words.
SELECT d.objid
  FROM pg_catalog.pg_event_trigger_dropped_objects() d
 WHERE NOT d.is_temporary AND d.object_type IN ('conversion', 'text search configuration') AND d.address_names[1] = 'pg_catalog'
