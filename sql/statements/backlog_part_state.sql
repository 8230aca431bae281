-- How many parts the backlog of the TVIEW (parameter 1) has, which parts are not done, and how many rows the
-- other parts have written.
SELECT count(*), coalesce(array_agg(part) FILTER (WHERE finished_at IS NULL), '{}'),
       coalesce(sum(rows_inserted), 0)::bigint, coalesce(sum(rows_updated), 0)::bigint,
       coalesce(sum(rows_deleted), 0)::bigint, coalesce(sum(rows_unchanged), 0)::bigint
  FROM @extschema@.pg_tview_backlog_part
 WHERE tview_oid = $1
