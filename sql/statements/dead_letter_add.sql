-- Records that a key of a TVIEW (parameter 2, named by 1) failed once more. For the first attempts (at most
-- parameter 7), the delay starts at parameter 6 seconds and doubles up to a minute. Later attempts are ten
-- minutes apart. No delay is shorter than parameter 8 seconds. Delays vary at random, so keys that failed
-- together are not retried together.
INSERT INTO @extschema@.pg_tview_dead_letter AS d
    (entity_name, tview_oid, key, sqlstate, message, attempts, first_failed_at, last_failed_at, next_retry_at)
VALUES ($1, $2, $3::jsonb, $4, $5, 1, clock_timestamp(), clock_timestamp(),
        clock_timestamp() + make_interval(secs => greatest($8, $6 * (1 - random() / 4))))
ON CONFLICT (tview_oid, md5(key::text)) DO UPDATE
   SET entity_name = excluded.entity_name,
       sqlstate = excluded.sqlstate,
       message = excluded.message,
       attempts = d.attempts + 1,
       last_failed_at = excluded.last_failed_at,
       next_retry_at = clock_timestamp() + make_interval(secs => greatest($8, (1 - random() / 4)
                     * CASE WHEN d.attempts < $7 THEN least($6 * 2 ^ least(d.attempts, 20), 60) ELSE 600 END))
