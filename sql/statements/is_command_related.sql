-- Whether the running command may concern a TVIEW. It does not if all it touched are relations, and none of these, nor what depends on them
-- in whatever way, has a trigger of ours, is a backing view, by OID or by name, or belongs to an extension. Everything is looked up by index.
WITH RECURSIVE command AS MATERIALIZED (
    SELECT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c WHERE c.schema_name IS DISTINCT FROM 'pg_temp'
), touched (class, object) AS (
    SELECT classid, objid FROM command
    UNION
    SELECT next.class, next.object
      FROM touched
     CROSS JOIN LATERAL (
            SELECT d.classid, d.objid
              FROM pg_catalog.pg_depend d
             WHERE d.refclassid = touched.class AND d.refobjid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, r.ev_class
              FROM pg_catalog.pg_rewrite r
             WHERE touched.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype
              FROM pg_catalog.pg_class c
             WHERE touched.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = touched.object AND c.reltype <> 0
            UNION ALL
            -- Partitions and children have triggers of ours where the tables above do; the other way round is no less true.
            SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhparent
              FROM pg_catalog.pg_inherits i
             WHERE touched.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.inhrelid = touched.object
           ) next (class, object)
)
SELECT EXISTS (SELECT 1 FROM command WHERE classid IS DISTINCT FROM 'pg_catalog.pg_class'::pg_catalog.regclass)
    OR EXISTS (
        SELECT 1
          FROM touched
          JOIN pg_catalog.pg_class c ON touched.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = touched.object
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
            OR EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname LIKE 'pg\_tviews\_%')
            OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.tview_oid = c.oid::pg_catalog.regclass)
            OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.view_oid = c.oid::pg_catalog.regclass)
            OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_definition m WHERE m.view_schema = n.nspname AND m.view_name = c.relname))
