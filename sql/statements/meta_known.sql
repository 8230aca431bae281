-- What a session knows of all TVIEWs: the table, the sources, whether changes are applied.
SELECT m.tview_oid::oid, m.source_oids::oid[], m.state = 'active'
  FROM @extschema@.pg_tview_definition m
