-- Keys ($2, JSON objects as text) of TVIEW $1 have been recomputed.
DELETE FROM @extschema@.pg_tview_dead_letter WHERE tview_oid = $1 AND key = ANY ($2::jsonb[])
