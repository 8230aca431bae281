-- The members of groups: TVIEW, group, owner.
SELECT m.tview_oid::oid, m.refresh_group, c.relowner
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
 WHERE m.refresh_group IS NOT NULL
 ORDER BY m.tview_oid::oid
