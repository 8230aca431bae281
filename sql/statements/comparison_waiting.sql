-- The comparisons of all rows that are not complete, for a role (parameter 1): those of TVIEWs whose owner's privileges
-- the role has, and for a member of pg_monitor all.
SELECT c.tview_oid, m.entity_name, c.populates, c.rows_expected,
       c.rows_inserted + c.rows_updated + c.rows_deleted + c.rows_unchanged AS rows_compared,
       c.rows_inserted + c.rows_updated + c.rows_deleted AS rows_written, c.started_at
  FROM @extschema@.pg_tview_comparison c
  JOIN @extschema@.pg_tview_definition m ON m.tview_oid = c.tview_oid
  JOIN pg_catalog.pg_class t ON t.oid = c.tview_oid
 WHERE pg_has_role($1, t.relowner, 'USAGE') OR pg_has_role($1, 'pg_monitor', 'USAGE')
