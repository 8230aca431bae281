-- Transactions that logged "all rows" of one of the sources in parameter 1, or a check of a definition.
SELECT DISTINCT q.xid::text
  FROM @extschema@.pg_tview_queue q
 WHERE q.source_oid = ANY ($1) AND (q.keys IS NULL OR q.operation = 'REFRESH')
