SELECT (coalesce(min(CASE WHEN epoch * 4294967296 + a.xmin <= this.next THEN epoch * 4294967296 + a.xmin
                               ELSE (epoch - 1) * 4294967296 + a.xmin END), min(this.next)))::text::xid8 AS xid
       FROM (SELECT s.n AS next, div(s.n, 4294967296) AS epoch FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric) s(n)) this
       LEFT JOIN (SELECT backend_xmin::text::numeric FROM pg_catalog.pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()) a(xmin) ON true
