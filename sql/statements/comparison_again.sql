-- All rows of TVIEW $1 may have changed once more while they are being compared: the oldest transaction that did so ($2), when
-- ($3), changes read ($4). A further comparison follows the one under way.
UPDATE @extschema@.pg_tview_comparison
   SET again_xid = least(again_xid, $2::xid8), again_change_at = least(again_change_at, $3),
       again_changes = coalesce(again_changes, 0) + coalesce($4, 0)
 WHERE tview_oid = $1
