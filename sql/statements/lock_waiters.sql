-- Whether any of the processes in parameter 1 waits for this process, directly or through other processes.
WITH RECURSIVE waiting(pid) AS (
    SELECT pid FROM unnest($1) pid WHERE pid <> 0
    UNION
    SELECT blocking.pid FROM waiting CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(waiting.pid)) blocking(pid)
     WHERE waiting.pid NOT IN (0, pg_catalog.pg_backend_pid())
)
SELECT pg_catalog.pg_backend_pid() IN (SELECT pid FROM waiting)
