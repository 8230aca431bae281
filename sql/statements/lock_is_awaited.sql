-- Whether any process waits for a lock that this process holds, or that this process would be granted before
-- it.
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l
                WHERE NOT l.granted AND pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(l.pid)))
