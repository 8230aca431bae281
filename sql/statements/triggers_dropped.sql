-- Tables from which the running command dropped a capture trigger.
SELECT c.oid
  FROM pg_catalog.pg_event_trigger_dropped_objects() d
  JOIN pg_catalog.pg_namespace n ON n.nspname = d.address_names[1]
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = d.address_names[2]
 WHERE d.object_type = 'trigger' AND d.original AND d.address_names[3] LIKE 'pg\_tviews\_capture%'
