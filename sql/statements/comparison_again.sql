-- All rows of the TVIEW (parameter 1) may have changed again while they are being compared. A further
-- comparison follows the running one. Other parameters: 2 the oldest transaction that made such a change, 3
-- the time of the change, 4 the number of changes read.
UPDATE @extschema@.pg_tview_comparison
   SET again_xid = least(again_xid, $2::xid8), again_change_at = least(again_change_at, $3),
       again_changes = coalesce(again_changes, 0) + coalesce($4, 0)
 WHERE tview_oid = $1
