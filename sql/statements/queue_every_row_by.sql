-- Transactions that logged "every row" of one of the sources $1, or that a definition is to be looked at.
SELECT DISTINCT q.xid::text
  FROM @extschema@.pg_tview_queue q
 WHERE q.source_oid = ANY ($1) AND (q.keys IS NULL OR q.operation = 'REFRESH')
