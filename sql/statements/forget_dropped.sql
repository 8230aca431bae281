-- Definitions whose tv table is gone.
DELETE FROM @extschema@.pg_tview_meta m
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = m.tview_oid)
