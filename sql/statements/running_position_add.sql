-- Adds the position of stored groups. Parameters: 1 the TVIEW, 2 the snapshot, 3 the fingerprint of the levels.
INSERT INTO @extschema@.pg_tview_running_position (tview_oid, position, levels)
VALUES ($1, $2::pg_snapshot, $3)
ON CONFLICT (tview_oid) DO NOTHING
