-- Deletes changes that every consumer of their TVIEW has acknowledged, at most so many (parameter 1). Changes
-- stay that a session may not see yet: if it subscribes now, they are delivered to it.
WITH horizon AS MATERIALIZED (@feed_horizon@),
     consumers AS MATERIALIZED (@feed_consumers@)
DELETE FROM @extschema@.pg_tview_change
 WHERE ctid = ANY (ARRAY(
    SELECT c.ctid
      FROM @extschema@.pg_tview_change c, horizon h
     WHERE c.xid < h.xid
       AND NOT EXISTS (
        SELECT 1
          FROM consumers s
         WHERE (s.every OR c.entity_name = ANY (s.entities)) AND NOT pg_visible_in_snapshot(c.xid, s.position))
     LIMIT $1))
