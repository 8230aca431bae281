-- The dead keys of TVIEW $1, and those of them that are to be tried again by now: each as an array with one JSON array; and
-- when the first of them is, in microseconds since 2000.
SELECT ARRAY[coalesce(jsonb_agg(d.key), '[]')],
       ARRAY[coalesce(jsonb_agg(d.key) FILTER (WHERE d.next_retry_at <= clock_timestamp()), '[]')],
       (extract(epoch FROM min(d.next_retry_at) - '2000-01-01 00:00:00+00') * 1000000)::bigint
  FROM @extschema@.pg_tview_dead_letter d
 WHERE d.tview_oid = $1
