-- Whether the TVIEW (parameter 1) was created or redefined in this database. Whether all of its sources
-- (parameter 2) and all partitions below them have their capture triggers, and the tv table, with those among the sources,
-- has its guards: no trigger can be restored on what a registered TVIEW reads.
-- With pg_restore --data-only the triggers exist before the rows do. In that case the restoring session
-- decides. The last two columns are whether such a session exists, and whether any other session loads rows
-- or creates objects.
WITH capture AS MATERIALIZED (
    SELECT t.tgrelid AS relation, t.tgtype & 1 <> 0 AS each_row
      FROM pg_catalog.pg_trigger t
     WHERE t.tgfoid = '@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure
), below AS (
    SELECT s.relation FROM unnest($2) s(relation)
     UNION
    SELECT tree.relid::oid FROM unnest($2) s(relation), pg_catalog.pg_partition_tree(s.relation) tree
)
SELECT EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = $1 AND a.operation IN ('create', 'redefine')),
       NOT EXISTS (SELECT 1 FROM unnest($2) s(relation)
                    WHERE relation NOT IN (SELECT c.relation FROM capture c WHERE c.each_row))
   AND NOT EXISTS (SELECT 1 FROM below
                    WHERE relation NOT IN (SELECT c.relation FROM capture c WHERE NOT c.each_row))
   AND NOT EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m
                    WHERE (m.tview_oid = $1 OR m.tview_oid = ANY ($2))
                          AND 2 > (SELECT count(*) FROM pg_catalog.pg_trigger t
                                    WHERE t.tgrelid = m.tview_oid AND t.tgfoid = '@extschema@.pg_tviews_guard()'::pg_catalog.regprocedure)),
       coalesce(bool_or(other.application_name = 'pg_restore'), false),
       count(*) > 0
  FROM pg_catalog.pg_stat_activity other
 WHERE other.datname = pg_catalog.current_database() AND other.pid <> pg_catalog.pg_backend_pid()
   AND (other.application_name = 'pg_restore' OR other.state = 'active' AND other.query ~* '^(COPY|CREATE|ALTER) ')
