-- What a session knows of every TVIEW: its table, what it reads, whether changes are applied to it.
SELECT m.tview_oid::oid, m.source_oids::oid[], m.state = 'active'
  FROM @extschema@.pg_tview_definition m
