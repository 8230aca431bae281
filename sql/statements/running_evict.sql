-- Deletes the least recently moved groups of the TVIEW (parameter 1) beyond a maximum number (parameter 2).
DELETE FROM @extschema@.pg_tview_running s
 USING (SELECT level, key FROM @extschema@.pg_tview_running WHERE tview_oid = $1 ORDER BY moved_at DESC OFFSET $2) old
 WHERE s.tview_oid = $1 AND s.level = old.level AND s.key = old.key
