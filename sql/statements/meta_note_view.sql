-- The backing view of TVIEW $1 is $2 now: dropped and created again as it was, not by the extension.
UPDATE @extschema@.pg_tview_definition SET view_oid = $2, view_created = false WHERE tview_oid = $1 AND view_oid <> $2
