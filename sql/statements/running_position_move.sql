-- Moves the position of the stored groups of the TVIEW (parameter 1) to a snapshot (parameter 2), and adds how often
-- they have helped since (parameter 3).
UPDATE @extschema@.pg_tview_running_position
   SET position = $2::pg_snapshot, helped = helped + $3
 WHERE tview_oid = $1
