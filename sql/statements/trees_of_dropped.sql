-- Dropped tables that inherited and were sources, and the sources whose partitions were dropped. The
-- partitions had copies of the triggers of their source. The tables in parameter 1 were empty and are left
-- out.
WITH gone AS MATERIALIZED (SELECT * FROM pg_catalog.pg_event_trigger_dropped_objects())
SELECT gone.objid
  FROM gone
 WHERE gone.object_type = 'table' AND gone.objid <> ALL ($1)
UNION
SELECT t.tgrelid
  FROM gone
  JOIN pg_catalog.pg_trigger t ON t.tgname = gone.address_names[3] AND t.tgparentid = 0
 WHERE gone.object_type = 'trigger' AND t.tgname LIKE 'pg\_tviews\_capture\_%' AND t.tgname <> 'pg_tviews_capture_truncate'
   AND NOT EXISTS (SELECT 1
                     FROM gone emptied
                    WHERE emptied.object_type = 'table' AND emptied.objid = ANY ($1)
                      AND emptied.address_names = gone.address_names[1:2])
