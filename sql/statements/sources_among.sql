-- Relations, among those of parameter 1, that any TVIEW reads.
SELECT DISTINCT s.source_oid::oid
  FROM @extschema@.pg_tview_definition m
 CROSS JOIN LATERAL unnest(m.source_oids) s(source_oid)
 WHERE s.source_oid = ANY ($1)
