-- Whether a session waits for a table, a view or a TVIEW that this process has locked.
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l
                WHERE NOT l.granted AND l.locktype IN ('relation', 'object')
                  AND pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids(l.pid)))
