-- Adds to the feed what a transaction has written to the TVIEW (parameter 1, named by 2): operations (3) with
-- their keys (4, JSON arrays). Parameter 5: the audit row; 6: the
-- origins.
INSERT INTO @extschema@.pg_tview_change (xid, tview_oid, entity_name, operation, keys, audit_id, changed_at, origins)
SELECT pg_current_xact_id(), $1, $2, w.operation, w.keys::jsonb, $5, clock_timestamp(), $6
  FROM unnest($3, $4) WITH ORDINALITY AS w(operation, keys, place)
 ORDER BY w.place
