SELECT 1 FROM @extschema@.pg_tview_queue LIMIT 1
