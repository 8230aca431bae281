-- Triggers that the running command has created in place of a trigger of the extension, or in addition under
-- a name of the extension. Only on tables of a TVIEW. TVIEWs that a restore is bringing are left out.
-- Columns: table, trigger.
WITH RECURSIVE made AS MATERIALIZED (
    SELECT t.tgrelid, t.tgname
      FROM pg_catalog.pg_event_trigger_ddl_commands() c
      JOIN pg_catalog.pg_trigger t ON t.oid = c.objid
     WHERE c.classid = 'pg_catalog.pg_trigger'::regclass
       AND (t.tgname LIKE 'pg\_tviews\_%'
            OR t.tgfoid IN ('@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure,
                            '@extschema@.pg_tviews_guard()'::pg_catalog.regprocedure))
), above AS (
    SELECT made.tgrelid AS relation, made.tgrelid, made.tgname FROM made
    UNION
    SELECT i.inhparent, above.tgrelid, above.tgname
      FROM above
      JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.relation
)
SELECT above.tgrelid, above.tgname::text
  FROM above
  JOIN @extschema@.pg_tview_definition m ON above.relation = m.tview_oid OR above.relation = ANY (m.source_oids)
 WHERE EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = m.tview_oid AND a.operation IN ('create', 'redefine'))
