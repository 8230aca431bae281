-- Deletes stored groups of a level of a TVIEW. Parameters: 1 the TVIEW, 2 the level, 3 a JSON array of keys.
DELETE FROM @extschema@.pg_tview_running s
 USING jsonb_array_elements($3) AS named (key)
 WHERE s.tview_oid = $1 AND s.level = $2 AND s.key = ARRAY(SELECT jsonb_array_elements_text(named.key))
