-- Types of the permanent objects that a command has dropped.
SELECT array_agg(DISTINCT object_type)
  FROM pg_catalog.pg_event_trigger_dropped_objects()
 WHERE NOT is_temporary
