-- Keys of part $2 of the backlog of TVIEW $1, and the position it was read at; nothing if it is done.
SELECT keys, before::text
  FROM @extschema@.pg_tview_backlog_part
 WHERE tview_oid = $1 AND part = $2 AND finished_at IS NULL
