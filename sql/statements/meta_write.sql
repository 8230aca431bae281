-- Adds or replaces the definition of the TVIEW (parameter 1).
INSERT INTO @extschema@.pg_tview_definition AS m
    (tview_oid, entity_name, view_oid, key_columns, fk_columns, max_latency, state, view_schema, view_name,
     view_created, source_oids, pinned_settings, definition_hash, table_created)
VALUES ($1, $2, $3, $4, $5, make_interval(secs => $6), $7, $8, $9, $10, $11::regclass[], $12::jsonb, $13, $14)
ON CONFLICT (tview_oid) DO UPDATE
   SET entity_name = excluded.entity_name, view_oid = excluded.view_oid, key_columns = excluded.key_columns,
       fk_columns = excluded.fk_columns, max_latency = excluded.max_latency, state = $7,
       view_schema = excluded.view_schema, view_name = excluded.view_name,
       view_created = excluded.view_created, source_oids = excluded.source_oids,
       pinned_settings = excluded.pinned_settings, definition_hash = excluded.definition_hash,
       table_created = excluded.table_created
