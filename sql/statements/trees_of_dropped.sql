-- Tables that inherit and were sources, and the sources whose partitions were dropped: these had copies of their triggers.
SELECT gone.objid
  FROM pg_catalog.pg_event_trigger_dropped_objects() gone
 WHERE gone.object_type = 'table'
UNION
SELECT t.tgrelid
  FROM pg_catalog.pg_event_trigger_dropped_objects() gone
  JOIN pg_catalog.pg_trigger t ON t.tgname = gone.address_names[3] AND t.tgparentid = 0
 WHERE gone.object_type = 'trigger' AND t.tgname LIKE 'pg\_tviews\_capture\_%' AND t.tgname <> 'pg_tviews_capture_truncate'
