-- The number of dead keys of each TVIEW in parameter 1 that has any.
SELECT d.tview_oid, count(*)
  FROM @extschema@.pg_tview_dead_letter d
 WHERE d.tview_oid = ANY ($1)
 GROUP BY d.tview_oid
 ORDER BY d.tview_oid
