-- Stores groups of the TVIEW (parameter 1) that are not stored yet. Parameter 2: a JSON array with an element per
-- group, which is an array of level, number of rows, key and state.
INSERT INTO @extschema@.pg_tview_running (tview_oid, level, key, rows, state, moved_at)
SELECT $1, (g ->> 0)::int, ARRAY(SELECT jsonb_array_elements_text(g -> 2)), (g ->> 1)::bigint,
       ARRAY(SELECT jsonb_array_elements_text(g -> 3)), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  FROM jsonb_array_elements($2::jsonb) AS added (g)
ON CONFLICT (tview_oid, level, key) DO NOTHING
