-- TVIEWs with the names of their tables, their owners, and whether they have a feed.
SELECT m.tview_oid::oid, format('%I.%I', n.nspname, c.relname), c.relowner, m.feed, m.entity_name
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
