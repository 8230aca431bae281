-- Gives column $2 its new name $3 in the changes of sources $1 that some TVIEW has not absorbed. None can be absorbed meanwhile: the command
-- that renames the column has locked the tables.
UPDATE @extschema@.pg_tview_queue q
   SET keys = (SELECT jsonb_agg(CASE WHEN change.key ? $2 THEN (change.key - $2) || jsonb_build_object($3, change.key -> $2) ELSE change.key END
                                ORDER BY change.place)
                 FROM jsonb_array_elements(q.keys) WITH ORDINALITY change(key, place))
 WHERE q.source_oid = ANY ($1) AND q.keys IS NOT NULL AND q.operation <> 'REFRESH'
   AND EXISTS (
        SELECT 1
          FROM @extschema@.pg_tview_definition m
         WHERE q.source_oid = ANY (m.source_oids)
           AND NOT coalesce(pg_catalog.pg_visible_in_snapshot(q.xid, (
                    SELECT a.position
                      FROM @extschema@.pg_tview_meta_audit a
                     WHERE a.tview_oid BETWEEN m.tview_oid AND m.tview_oid AND a.position IS NOT NULL
                     ORDER BY a.tview_oid DESC, a.audit_id DESC
                     LIMIT 1)), false))
RETURNING q.source_oid::oid
