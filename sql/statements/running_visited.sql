-- How many rows of these tables (parameter 1) the transaction has visited. 0 with track_counts = off.
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(t) + pg_stat_get_xact_tuples_fetched(t)), 0)::bigint
  FROM unnest($1) AS tables(t)
