-- Whether any TVIEW is suspended because its view fails.
SELECT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition WHERE state = 'suspended')
