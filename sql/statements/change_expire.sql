-- Deletes the oldest changes, whichever consumer needs them, at most so many (parameter 1): those older than parameter 2
-- seconds, and those that exceed parameter 3 bytes (NULL: no limit). Consumers that have not acknowledged them
-- have to subscribe again; returns these.
WITH horizon AS MATERIALIZED (@feed_horizon@),
     consumers AS MATERIALIZED (@feed_consumers@),
     sized AS (
    SELECT c.ctid AS place, c.xid, c.entity_name, c.changed_at,
           CASE WHEN $3::bigint IS NOT NULL
                THEN sum(coalesce(pg_column_size(c.keys), 0) + coalesce(pg_column_size(c.origins), 0) + 200) OVER (ORDER BY c.xid DESC, c.change_id DESC) END AS bytes
      FROM @extschema@.pg_tview_change c),
     expired AS MATERIALIZED (
    SELECT s.place, s.xid, s.entity_name
      FROM sized s, horizon h
     WHERE s.xid < h.xid AND (s.changed_at < now() - make_interval(secs => $2) OR s.bytes > $3::bigint)
     ORDER BY s.xid
     LIMIT $1),
     lost AS (
    INSERT INTO @extschema@.pg_tview_lost_consumer (subscription_id, lost_at)
    SELECT s.subscription_id, clock_timestamp()
      FROM consumers s
     WHERE EXISTS (
        SELECT 1
          FROM expired e
         WHERE (s.every OR e.entity_name = ANY (s.entities)) AND NOT pg_visible_in_snapshot(e.xid, s.position))
        ON CONFLICT DO NOTHING
    RETURNING subscription_id),
     deleted AS (
    DELETE FROM @extschema@.pg_tview_change WHERE ctid = ANY (ARRAY(SELECT place FROM expired)) RETURNING 1)
SELECT (SELECT count(*) FROM deleted),
       ARRAY(SELECT s.consumer FROM @extschema@.pg_tview_subscription s JOIN lost l ON l.subscription_id = s.subscription_id)
