-- Part $4 of the backlog of TVIEW $1, whose position is $2: these keys ($3).
INSERT INTO @extschema@.pg_tview_backlog_part (tview_oid, part, keys, before)
VALUES ($1, $4, $3, $2::pg_snapshot)
