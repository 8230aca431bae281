SELECT count(*) FROM @extschema@.pg_tview_subscription
