-- The dead keys of the TVIEW (parameter 1), each as an array with one JSON array, and since when each key is
-- dead.
SELECT ARRAY[jsonb_build_array(d.key)], d.first_failed_at
  FROM @extschema@.pg_tview_dead_letter d
 WHERE d.tview_oid = $1
