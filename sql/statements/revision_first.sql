-- What new rows of a TVIEW (parameter 1) begin with: after the greatest revision that was deleted.
SELECT coalesce(max(kept.revision), 0) + 1 FROM @extschema@.pg_tview_revision kept WHERE kept.tview_oid = $1
