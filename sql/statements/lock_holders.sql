-- Process ids that hold a lock of one of the modes in parameter 2 on a table (parameter 1). 0 is a prepared
-- transaction.
SELECT array_agg(DISTINCT coalesce(l.pid, 0) ORDER BY coalesce(l.pid, 0))
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
 WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted AND l.mode = ANY ($2)
   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
