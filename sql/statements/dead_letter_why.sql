-- Why a key is dead. Parameters: 1 the TVIEW, 2 the key, a JSON object.
SELECT d.sqlstate, d.message FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = $1 AND d.key = $2::jsonb
