-- Begins a comparison of all rows of a TVIEW. Parameters:
-- - 1: the TVIEW
-- - 2: whether the comparison is a population
-- - 3: whether rows are computed by ranges of keys or key by key
-- - 4: the number of keys per batch
-- - 5: the oldest transaction that the comparison is for
-- - 6: when that transaction made its change
-- - 7: the number of changes read
-- - 8: the number of rows expected
INSERT INTO @extschema@.pg_tview_comparison
    (tview_oid, populates, by_range, keys_at_once, oldest_xid, oldest_change_at, changes_read, rows_expected, started_at)
VALUES ($1, $2, $3, $4, $5::xid8, $6, $7, $8, clock_timestamp())
    ON CONFLICT (tview_oid) DO UPDATE
   SET populates = excluded.populates, by_range = excluded.by_range, keys_at_once = excluded.keys_at_once, compared_to = NULL, held_keys = NULL,
       oldest_xid = excluded.oldest_xid, oldest_change_at = excluded.oldest_change_at,
       changes_read = excluded.changes_read, again_xid = NULL, again_change_at = NULL, again_changes = NULL,
       started_at = excluded.started_at, batches = 0, rows_expected = excluded.rows_expected,
       rows_inserted = 0, rows_updated = 0, rows_deleted = 0, rows_unchanged = 0,
       sqlstate = NULL, message = NULL, details = NULL
