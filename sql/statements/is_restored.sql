-- Whether TVIEW $1 was created or redefined in this database, and whether every one of its sources $2, and every
-- partition below them, has its capture triggers, and its table the guards. Where these are there before the rows (pg_restore --data-only), the
-- session that restores tells: whether there is one, and whether any other loads rows or makes objects.
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
   AND 2 <= (SELECT count(*) FROM pg_catalog.pg_trigger t
              WHERE t.tgrelid = $1 AND t.tgfoid = '@extschema@.pg_tviews_guard()'::pg_catalog.regprocedure),
       coalesce(bool_or(other.application_name = 'pg_restore'), false),
       count(*) > 0
  FROM pg_catalog.pg_stat_activity other
 WHERE other.datname = pg_catalog.current_database() AND other.pid <> pg_catalog.pg_backend_pid()
   AND (other.application_name = 'pg_restore' OR other.state = 'active' AND other.query ~* '^(COPY|CREATE|ALTER) ')
