-- Adds a part of the backlog of a TVIEW. Parameters: 1 the TVIEW, 2 its position, 3 the keys, 4 the number of
-- the part.
INSERT INTO @extschema@.pg_tview_backlog_part (tview_oid, part, keys, before)
VALUES ($1, $4, $3, $2::pg_snapshot)
