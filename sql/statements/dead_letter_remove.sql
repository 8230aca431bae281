-- Removes keys that have been recomputed. Parameters: 1 the TVIEW, 2 the keys, JSON objects as text.
DELETE FROM @extschema@.pg_tview_dead_letter WHERE tview_oid = $1 AND key = ANY ($2::jsonb[])
