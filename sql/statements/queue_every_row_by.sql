-- Transactions that logged "all rows" of one of the sources in parameter 1, or a check of a definition, and
-- that a snapshot (parameter 2) does not see.
SELECT DISTINCT q.xid::text
  FROM @extschema@.pg_tviews_queued($1, $2::pg_snapshot) q
 WHERE q.keys IS NULL OR q.operation = 'REFRESH'
