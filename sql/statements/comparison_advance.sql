-- Records that the rows of a TVIEW are compared up to a key. Parameters:
-- - 1: the TVIEW
-- - 2: the key
-- - 3: the number of keys per batch from now on
-- - 4: the keys left out
-- - 5 to 8: the rows inserted, updated, deleted and left unchanged
-- - 9 to 11: the first problem met
UPDATE @extschema@.pg_tview_comparison
   SET compared_to = $2, keys_at_once = $3, held_keys = $4, batches = batches + 1,
       rows_inserted = rows_inserted + $5, rows_updated = rows_updated + $6,
       rows_deleted = rows_deleted + $7, rows_unchanged = rows_unchanged + $8,
       message = CASE WHEN sqlstate IS NULL THEN $10 ELSE message END,
       details = CASE
           WHEN sqlstate IS NULL THEN $11::jsonb
           WHEN $11::jsonb ? 'left_out' AND NOT details ? 'left_out'
           THEN details || jsonb_build_object('left_out', $11::jsonb -> 'left_out')
           ELSE details
       END,
       sqlstate = coalesce(sqlstate, $9)
 WHERE tview_oid = $1
