-- Adds the definition that a row of pg_tview_meta describes.
INSERT INTO @extschema@.pg_tview_definition
    (entity_name, tview_oid, view_oid, key_columns, fk_columns, max_latency, state, created_at, view_schema, view_name,
     view_created, source_oids, pinned_settings, definition_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
