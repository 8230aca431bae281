-- Whether the view of some TVIEW fails.
SELECT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition WHERE state = 'suspended')
