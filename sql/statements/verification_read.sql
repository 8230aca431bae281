-- How far the verification of the TVIEW (parameter 1) is.
SELECT definition_hash, method, begun_at, walking, verified_to, keys_at_once, rows, slow_rows, slow_keys, suspects, later_suspects,
       more_suspects, attempts, unseen, unverified_because, verified_at, verified_rows, unverified_rows, drifted_keys, drifted_at
  FROM @extschema@.pg_tview_verification
 WHERE tview_oid = $1
