-- How many rows of the TVIEW (parameter 1) there are for a row of each source (parameter 2), by the statistics of the
-- server; no row for a source whose size is unknown.
SELECT s.oid, tv.rows / greatest(s.rows, 1)
  FROM (SELECT c.oid, sum(p.reltuples)::float8 AS rows
          FROM pg_catalog.unnest($2) AS c (oid)
         CROSS JOIN LATERAL (
               SELECT l.reltuples FROM pg_catalog.pg_class l WHERE l.oid = c.oid AND l.relkind <> 'p'
                UNION ALL
               SELECT l.reltuples FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid
                WHERE t.isleaf AND t.relid <> c.oid) p
         GROUP BY c.oid
        HAVING min(p.reltuples) >= 0) s
 CROSS JOIN (SELECT greatest(reltuples, 0)::float8 AS rows FROM pg_catalog.pg_class WHERE oid = $1) tv
