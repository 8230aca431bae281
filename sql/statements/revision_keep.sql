-- Keeps the greatest revision (parameter 2) among rows that were deleted of a TVIEW (1), unless one as great is kept.
INSERT INTO @extschema@.pg_tview_revision (tview_oid, revision)
SELECT $1, $2
 WHERE $2 > (SELECT coalesce(max(kept.revision), 0) FROM @extschema@.pg_tview_revision kept WHERE kept.tview_oid = $1)
