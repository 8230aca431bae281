-- Cuts the backlog of TVIEW $1, whose position is $2, into parts of these keys ($3).
INSERT INTO @extschema@.pg_tview_backlog_part (tview_oid, part, keys, before)
SELECT $1, n - 1, keys, $2::pg_snapshot FROM unnest($3) WITH ORDINALITY u(keys, n)
