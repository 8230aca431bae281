-- How many groups of the TVIEW (parameter 1) are stored, and how often such groups were read. No row for a role (parameter 2)
-- that does not see the TVIEW in pg_tview_status.
SELECT (SELECT count(*) FROM @extschema@.pg_tview_running s WHERE s.tview_oid = $1),
       coalesce((SELECT p.helped FROM @extschema@.pg_tview_running_position p WHERE p.tview_oid = $1), 0)
  FROM pg_catalog.pg_class c
 WHERE c.oid = $1 AND (pg_has_role($2, c.relowner, 'USAGE') OR pg_has_role($2, 'pg_monitor', 'USAGE'))
