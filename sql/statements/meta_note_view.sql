-- Records the new backing view (parameter 2) of the TVIEW (parameter 1). The view was dropped and created
-- again unchanged, but not by the extension.
UPDATE @extschema@.pg_tview_definition SET view_oid = $2, view_created = false WHERE tview_oid = $1 AND view_oid <> $2
