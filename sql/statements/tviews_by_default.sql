-- TVIEWs that may use an object that the running command created or changed, as a default. The object is a
-- conversion or a text search configuration. Refreshes look for both in pg_catalog. The exception is a
-- configuration that the setting of the TVIEW names with its schema.
SELECT m.tview_oid::oid
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class t ON t.oid = m.tview_oid
 WHERE EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = m.tview_oid AND a.operation IN ('create', 'redefine'))
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() c
                WHERE c.classid IN ('pg_catalog.pg_conversion'::regclass, 'pg_catalog.pg_ts_config'::regclass)
                  AND (c.schema_name = 'pg_catalog'
                       OR m.pinned_settings ->> 'default_text_search_config' ~ '\.'
                      AND m.pinned_settings ->> 'default_text_search_config' !~ '^pg_catalog\.'))
