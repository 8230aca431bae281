-- What pg_tview_server_metrics takes from tables and processes, for the database with the OID in parameter 1. The oldest xmin is
-- that of this database: transactions, prepared ones, and what replication holds. Nothing depends on the size of the backlog.
SELECT pg_catalog.current_database()::text,
       (SELECT count(*) FROM @extschema@.pg_tview_definition),
       pg_catalog.pg_table_size('@extschema@.pg_tview_queue'::regclass),
       pg_catalog.pg_stat_get_live_tuples('@extschema@.pg_tview_running'::regclass),
       max(held.xids)::bigint,
       coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - held.since)), 0)::float8,
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time() - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint
  FROM (SELECT greatest(age(s.backend_xmin), age(s.backend_xid)) AS xids, s.xact_start AS since
          FROM pg_catalog.pg_stat_get_activity(NULL) s
         WHERE (s.datid = $1 OR s.backend_type = 'walsender') AND s.pid <> pg_catalog.pg_backend_pid()
           AND (s.backend_xmin IS NOT NULL OR s.backend_xid IS NOT NULL)
        UNION ALL
        SELECT age(p.transaction), p.prepared FROM pg_catalog.pg_prepared_xacts p
         WHERE p.database = pg_catalog.current_database()
        UNION ALL
        SELECT age(r.xmin), NULL FROM pg_catalog.pg_replication_slots r WHERE r.xmin IS NOT NULL
        UNION ALL
        SELECT 0, NULL) held
