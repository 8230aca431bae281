-- Renames a column in the pending changes of sources, those that not every TVIEW has absorbed. Parameters: 1
-- the sources, 2 the old name, 3 the new name. No change can be absorbed in the meantime, because the
-- renaming command has locked the tables.
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
