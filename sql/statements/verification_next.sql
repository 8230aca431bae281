-- The TVIEW of which rows are to be verified next, with its name, and the number of microseconds until then. Parameter 1: the
-- number of seconds in which all rows are verified once.
SELECT m.tview_oid::oid, m.tview_oid::text,
       least(greatest(1000000 * extract(epoch FROM due.at - clock_timestamp()), 0), 1e15)::int8
  FROM @extschema@.pg_tview_definition m
  LEFT JOIN @extschema@.pg_tview_verification v ON v.tview_oid = m.tview_oid
 CROSS JOIN LATERAL (
        SELECT CASE
                   -- Its rows were computed when it was created. Many that were created together begin one after the other.
                   WHEN v.tview_oid IS NULL THEN m.created_at + $1 * (m.tview_oid::oid::int8 % 1000) / 2000 * interval '1 second'
                   WHEN v.definition_hash <> m.definition_hash THEN v.not_before
                   -- Its rows differ for reasons that no change shows.
                   WHEN v.unseen THEN clock_timestamp() + interval '1 day'
                   WHEN v.walking OR v.suspects IS NOT NULL THEN v.not_before
                   ELSE greatest(v.not_before, v.begun_at + $1 * interval '1 second')
               END AS at) due
 WHERE m.state = 'active'
 ORDER BY due.at, m.tview_oid::oid
 LIMIT 1
