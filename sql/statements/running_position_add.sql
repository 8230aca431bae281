-- Adds the position of stored groups, where there is none. Parameters: 1 the TVIEW, 2 the snapshot, 3 the fingerprint of
-- the levels. Groups without a position are deleted.
WITH added AS (
    INSERT INTO @extschema@.pg_tview_running_position AS p (tview_oid, position, levels)
    VALUES ($1, $2::pg_snapshot, $3)
    ON CONFLICT (tview_oid) DO UPDATE SET position = excluded.position, levels = excluded.levels WHERE p.position IS NULL
    RETURNING tview_oid
)
DELETE FROM @extschema@.pg_tview_running s USING added WHERE s.tview_oid = added.tview_oid
