-- The TVIEWs that a graph shows, with their sources. strategies has one element for each source, or none.
SELECT m.tview_oid::oid, m.entity_name, pg_catalog.format('%I.%I', m.view_schema, m.view_name), m.state, m.key_columns,
       m.source_oids::oid[], m.strategies, m.refresh_group, c.relowner::oid
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
