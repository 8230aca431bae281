-- The running comparison of the TVIEW (parameter 1).
SELECT populates, compared_to, keys_at_once, held_keys, again_xid IS NOT NULL, oldest_change_at, changes_read, started_at,
       rows_inserted, rows_updated, rows_deleted, rows_unchanged, sqlstate, message, details::text, by_range, rows_expected
  FROM @extschema@.pg_tview_comparison
 WHERE tview_oid = $1
