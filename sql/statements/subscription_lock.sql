-- Makes other sessions wait that acknowledge changes for the same consumer (parameter 1), or remove it.
SELECT 1 FROM @extschema@.pg_tview_subscription WHERE consumer = $1 FOR UPDATE
