-- Whether TVIEW $1 was created or redefined in this database, and whether every one of its sources $2, and every
-- partition below them, has its capture triggers. Where these are there before the rows (pg_restore --data-only), the
-- session that restores tells.
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
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity a
                    WHERE a.datname = pg_catalog.current_database() AND a.application_name = 'pg_restore')
