-- Keys of a part of a backlog, and the position at which the backlog was read. No row if the part is done.
-- Parameters: 1 the TVIEW, 2 the number of the part.
SELECT keys, before::text
  FROM @extschema@.pg_tview_backlog_part
 WHERE tview_oid = $1 AND part = $2 AND finished_at IS NULL
