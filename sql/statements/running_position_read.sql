-- Up to which position the groups of the TVIEW (parameter 1) are stored, and the fingerprint of their levels. No
-- row if nothing is stored.
SELECT position::text, levels FROM @extschema@.pg_tview_running_position WHERE tview_oid = $1 AND position IS NOT NULL
