-- Whether the running command may affect a TVIEW. Otherwise all of the following hold:
-- - No tv table and no backing view depends on the objects that the command touched.
-- - None of these objects has a trigger of the extension, nor do their partitions, children or parents.
-- - None of these objects belongs to the extension.
-- - Refreshes use none of these objects without an entry in the catalogs. Examples are the default text
--   search configuration and default conversions.
-- Parameters: 1 tables whose partition trees or children have changed, and the tables above them, 2 tables
-- attached or detached with that change. The command no longer lists detached tables.
WITH RECURSIVE command AS MATERIALIZED (
    SELECT c.classid, c.objid, c.schema_name FROM pg_catalog.pg_event_trigger_ddl_commands() c WHERE c.schema_name IS DISTINCT FROM 'pg_temp'
), seed (class, object) AS (
    SELECT command.classid, command.objid FROM command WHERE command.classid IS NOT NULL
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, changed.oid FROM unnest($1 || $2) changed(oid)
), @touched@, family (oid, way) AS (
    SELECT command.objid, 0 FROM command WHERE command.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT above.oid, 1 FROM unnest($1) above(oid)
    UNION ALL
    SELECT moved.oid, 0 FROM unnest($2) moved(oid)
    UNION
    SELECT next.oid, next.way
      FROM family
     CROSS JOIN LATERAL (
            SELECT i.inhparent, 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = family.oid AND family.way >= 0
            UNION ALL
            SELECT i.inhrelid, -1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = family.oid AND family.way <= 0) next (oid, way)
)
SELECT EXISTS (SELECT 1 FROM tview)
    OR EXISTS (SELECT 1
                 FROM family
                WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = family.oid AND t.tgname LIKE 'pg\_tviews\_%' OFFSET 0))
    OR EXISTS (SELECT 1
                 FROM command
                WHERE command.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                  AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                               WHERE t.oid = command.objid
                                 AND (t.tgname LIKE 'pg\_tviews\_%'
                                      OR t.tgfoid IN ('@extschema@.pg_tviews_capture()'::pg_catalog.regprocedure,
                                                      '@extschema@.pg_tviews_guard()'::pg_catalog.regprocedure))
                              OFFSET 0))
    OR EXISTS (SELECT 1
                 FROM command
                 JOIN pg_catalog.pg_extension e ON e.extname = 'pg_tviews'
                 LEFT JOIN LATERAL (
                        SELECT d.refobjid
                          FROM pg_catalog.pg_depend d
                         WHERE d.classid = command.classid AND d.objid = command.objid AND d.deptype = 'e'
                        OFFSET 0) of ON of.refobjid = e.oid
                WHERE of.refobjid IS NOT NULL OR command.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND command.objid = e.oid)
    OR EXISTS (SELECT 1
                 FROM command
                WHERE command.classid IN ('pg_catalog.pg_conversion'::pg_catalog.regclass, 'pg_catalog.pg_ts_config'::pg_catalog.regclass,
                                          'pg_catalog.pg_ts_dict'::pg_catalog.regclass)
                  AND (command.schema_name = 'pg_catalog'
                       OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m
                                   WHERE m.pinned_settings ->> 'default_text_search_config' ~ '\.'
                                     AND m.pinned_settings ->> 'default_text_search_config' !~ '^pg_catalog\.')))
