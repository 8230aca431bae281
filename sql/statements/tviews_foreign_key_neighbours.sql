-- TVIEWs that are being refreshed and are connected to a TVIEW (parameter 1) by a foreign key. The key is
-- between the two tv tables, in either direction.
SELECT DISTINCT m.tview_oid::oid
  FROM pg_catalog.pg_constraint c
  JOIN @extschema@.pg_tview_definition m ON m.tview_oid::oid IN (c.conrelid, c.confrelid)
 WHERE c.contype = 'f' AND $1 IN (c.conrelid, c.confrelid)
   AND m.tview_oid::oid <> $1 AND m.state IN ('active', 'populating')
