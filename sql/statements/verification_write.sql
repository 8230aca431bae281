-- Stores how far the verification of a TVIEW is. Parameters: 1 the TVIEW, 2 the seconds until the next slice, then the columns as
-- verification_read returns them.
INSERT INTO @extschema@.pg_tview_verification
    (tview_oid, not_before, definition_hash, method, begun_at, walking, verified_to, keys_at_once, rows, slow_rows, slow_keys,
     suspects, later_suspects, more_suspects, attempts, unseen, unverified_because, verified_at, verified_rows, unverified_rows,
     drifted_keys, drifted_at)
VALUES ($1, clock_timestamp() + $2 * interval '1 second', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21, $22)
    ON CONFLICT (tview_oid) DO UPDATE
   SET not_before = excluded.not_before, definition_hash = excluded.definition_hash, method = excluded.method,
       begun_at = excluded.begun_at, walking = excluded.walking, verified_to = excluded.verified_to,
       keys_at_once = excluded.keys_at_once, rows = excluded.rows, slow_rows = excluded.slow_rows,
       slow_keys = excluded.slow_keys, suspects = excluded.suspects, later_suspects = excluded.later_suspects,
       more_suspects = excluded.more_suspects, attempts = excluded.attempts, unseen = excluded.unseen,
       unverified_because = excluded.unverified_because, verified_at = excluded.verified_at,
       verified_rows = excluded.verified_rows, unverified_rows = excluded.unverified_rows, drifted_keys = excluded.drifted_keys, drifted_at = excluded.drifted_at
