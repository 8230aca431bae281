-- Size of the queue in bytes, including removed rows.
SELECT pg_catalog.pg_relation_size('@extschema@.pg_tview_queue'::pg_catalog.regclass)
