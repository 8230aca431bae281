-- TVIEWs whose table exists. Parameter 1 is one TVIEW, or NULL for all TVIEWs.
SELECT m.tview_oid::oid, m.entity_name, m.view_schema::text, m.view_name::text, m.view_created,
       m.key_columns, m.fk_columns, m.state, m.source_oids::oid[], m.pinned_settings::text,
       m.definition_hash, c.relowner, extract(epoch FROM m.max_latency)::float8, m.view_oid::oid,
       m.table_created, m.feed, extract(epoch FROM m.throttle_lag)::float8, m.refresh_group
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class c ON c.oid = m.tview_oid
 WHERE $1 IS NULL OR m.tview_oid = $1
 ORDER BY m.tview_oid::oid
