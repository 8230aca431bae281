-- Transactions that logged "every row" of one of the sources $1.
SELECT DISTINCT q.xid::text
  FROM @extschema@.pg_tview_queue q
 WHERE q.source_oid = ANY ($1) AND q.keys IS NULL
