-- TVIEWs in which verification has found rows that differ from the view, no longer ago than parameter 2 (seconds), and that the role
-- (parameter 1) is allowed to see: name, number of rows ever found, when the last were found.
SELECT m.tview_oid::text, v.drifted_keys, date_trunc('second', v.drifted_at)::text
  FROM @extschema@.pg_tview_verification v
  JOIN @extschema@.pg_tview_definition m ON m.tview_oid = v.tview_oid
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
 WHERE v.drifted_at > clock_timestamp() - $2 * interval '1 second'
   AND (pg_catalog.pg_has_role($1, c.relowner, 'USAGE') OR pg_catalog.pg_has_role($1, 'pg_monitor', 'USAGE'))
 ORDER BY 1
