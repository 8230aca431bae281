-- Why key $2 (a JSON object) of TVIEW $1 is dead.
SELECT d.sqlstate, d.message FROM @extschema@.pg_tview_dead_letter d WHERE d.tview_oid = $1 AND d.key = $2::jsonb
