-- All dead keys of the TVIEW (parameter 1), and the dead keys whose retry is due. Each result is an array
-- with one JSON array. The last column is when the first retry is due, in microseconds since 2000.
SELECT ARRAY[coalesce(jsonb_agg(d.key), '[]')],
       ARRAY[coalesce(jsonb_agg(d.key) FILTER (WHERE d.next_retry_at <= clock_timestamp()), '[]')],
       (extract(epoch FROM min(d.next_retry_at) - '2000-01-01 00:00:00+00') * 1000000)::bigint
  FROM @extschema@.pg_tview_dead_letter d
 WHERE d.tview_oid = $1
