-- The next changes for a consumer, in the order of transactions: those that a snapshot (parameter 2) sees and
-- the consumer's position (1) does not. Other parameters: 3 the lowest transaction to look for; 4 to 6
-- transaction, change and number of the key after which to begin; 7 the TVIEWs; 8 the entities whose drop is
-- returned, NULL for all; 9 how many. Only the first of the rows may have no further key.
SELECT c.xid::text, c.change_id, coalesce(k.place, 0), c.entity_name, c.operation, k.key::text, c.origins, c.changed_at
  FROM (SELECT c.xid, c.change_id, c.entity_name, c.operation, c.keys, c.changed_at,
               -- Rights on a TVIEW that was dropped are not known.
               CASE WHEN c.tview_oid = ANY ($7) THEN c.origins END AS origins
          FROM @extschema@.pg_tview_change c
         WHERE c.xid >= $3::xid8 AND c.xid < pg_snapshot_xmax($2::pg_snapshot)
           AND pg_visible_in_snapshot(c.xid, $2::pg_snapshot) AND NOT pg_visible_in_snapshot(c.xid, $1::pg_snapshot)
           AND (c.xid, c.change_id) >= ($4::xid8, $5)
           AND (c.tview_oid = ANY ($7)
                OR c.operation = 'EVERYTHING' AND ($8::text[] IS NULL OR c.entity_name = ANY ($8))
                   AND NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = c.tview_oid))
         ORDER BY c.xid, c.change_id
         LIMIT $9 + 1) c
  LEFT JOIN LATERAL jsonb_array_elements(c.keys) WITH ORDINALITY AS k(key, place) ON true
 WHERE (c.xid, c.change_id) > ($4::xid8, $5) OR coalesce(k.place, 0) > $6
 ORDER BY c.xid, c.change_id, k.place
 LIMIT $9
