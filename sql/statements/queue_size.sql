-- Bytes of the queue, removed rows included.
SELECT pg_catalog.pg_relation_size('@extschema@.pg_tview_queue'::pg_catalog.regclass)
