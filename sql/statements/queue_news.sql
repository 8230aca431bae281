-- Sources, among those of parameter 1, with queue rows that a snapshot did not show. Parameters 2 and 3 are
-- xmax and xip of that snapshot. Also returns the snapshot of this query. The query does not scan rows that
-- were removed since, because an old snapshot may keep very many of them visible.
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
