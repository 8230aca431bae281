-- Those of sources $1 that have rows in the queue which the snapshot with xmax $2 and xip $3 did not show; and the snapshot in
-- which that is so. Rows removed since, but visible to an old snapshot, may be very many: it does not go over them.
SELECT array_agg(source.oid), pg_current_snapshot()::text
  FROM unnest($1) source(oid)
 CROSS JOIN LATERAL (
        (SELECT 1
           FROM @extschema@.pg_tview_queue q
          WHERE q.source_oid = source.oid AND q.xid >= $2::xid8
          LIMIT 1)
        UNION ALL
        (SELECT 1
           FROM unnest($3::xid8[]) progress(xid),
                LATERAL (SELECT 1
                           FROM @extschema@.pg_tview_queue q
                          WHERE q.source_oid = source.oid AND q.xid = progress.xid AND q.xid < $2::xid8
                         OFFSET 0) q
          LIMIT 1)
        LIMIT 1) news
