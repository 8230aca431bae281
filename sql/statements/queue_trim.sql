-- Deletes queue rows that are visible in the position of every TVIEW that reads their source. Parameters: 1
-- the maximum number of rows, 2 the sources, or NULL for all sources. A TVIEW without a position keeps all
-- rows of its sources, because its first population may be running.
WITH positions AS MATERIALIZED (
    SELECT s.source_oid, newest.position
      FROM @extschema@.pg_tview_definition m
      JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
     CROSS JOIN LATERAL unnest(m.source_oids || m.tview_oid) s(source_oid)
      LEFT JOIN LATERAL (
            SELECT a.position
              FROM @extschema@.pg_tview_meta_audit a
             WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
             ORDER BY a.tview_oid DESC, a.audit_id DESC
             LIMIT 1) newest ON true
)
DELETE FROM @extschema@.pg_tview_queue
 WHERE ctid = ANY (ARRAY(
    SELECT q.ctid
      FROM @extschema@.pg_tview_queue q
     WHERE ($2::oid[] IS NULL OR q.source_oid::oid = ANY ($2))
       AND NOT EXISTS (
        SELECT 1
          FROM positions p
         WHERE p.source_oid::oid = q.source_oid::oid
           AND NOT coalesce(pg_visible_in_snapshot(q.xid, p.position), false))
     LIMIT $1))
