-- A key of TVIEW $2 (named $1) failed once more. The first $7 attempts are $6 seconds apart, doubling up to a minute; later
-- ones ten minutes, none less than $8 seconds. What failed together is not tried together.
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
