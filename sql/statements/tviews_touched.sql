-- TVIEWs whose rows may be others after the running command: it has touched their table, their backing view, a table of $1, or something
-- that these depend on, in whatever way. And those whose backing view is gone unnoticed so far. Not those that a restore has brought: they
-- are registered anew when it is through. How a fingerprint follows the catalogs downwards, in fingerprint.sql, this does upwards.
WITH RECURSIVE touched (class, object) AS (
    SELECT command.classid, command.objid
      FROM pg_catalog.pg_event_trigger_ddl_commands() command
     WHERE command.classid IS NOT NULL
    UNION
    SELECT 'pg_catalog.pg_class'::regclass, above.oid
      FROM unnest($1) above(oid)
    UNION
    SELECT next.class, next.object
      FROM touched
     CROSS JOIN LATERAL (
            SELECT d.classid, d.objid
              FROM pg_catalog.pg_depend d
             WHERE d.refclassid = touched.class AND d.refobjid = touched.object
               AND (d.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass,
                                  'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_constraint'::regclass,
                                  'pg_catalog.pg_cast'::regclass, 'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_transform'::regclass,
                                  'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass, 'pg_catalog.pg_amop'::regclass,
                                  'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_ts_config'::regclass, 'pg_catalog.pg_ts_dict'::regclass,
                                  'pg_catalog.pg_ts_parser'::regclass, 'pg_catalog.pg_ts_template'::regclass)
                    -- A column of that type.
                    OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0
                   AND touched.class IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_collation'::regclass)
                    -- What is in that schema.
                    OR d.classid = 'pg_catalog.pg_class'::regclass AND touched.class = 'pg_catalog.pg_namespace'::regclass)
            UNION ALL
            SELECT 'pg_catalog.pg_class'::regclass, r.ev_class
              FROM pg_catalog.pg_rewrite r
             WHERE touched.class = 'pg_catalog.pg_rewrite'::regclass AND r.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_class'::regclass, p.polrelid
              FROM pg_catalog.pg_policy p
             WHERE touched.class = 'pg_catalog.pg_policy'::regclass AND p.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_type'::regclass, c.contypid
              FROM pg_catalog.pg_constraint c
             WHERE touched.class = 'pg_catalog.pg_constraint'::regclass AND c.oid = touched.object AND c.contypid <> 0
            UNION ALL
            -- Whole rows.
            SELECT 'pg_catalog.pg_type'::regclass, c.reltype
              FROM pg_catalog.pg_class c
             WHERE touched.class = 'pg_catalog.pg_class'::regclass AND c.oid = touched.object AND c.reltype <> 0
            UNION ALL
            SELECT 'pg_catalog.pg_type'::regclass, c.castsource
              FROM pg_catalog.pg_cast c
             WHERE touched.class = 'pg_catalog.pg_cast'::regclass AND c.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_opfamily'::regclass, s.amopfamily
              FROM pg_catalog.pg_amop s
             WHERE touched.class = 'pg_catalog.pg_amop'::regclass AND s.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_opfamily'::regclass, s.amprocfamily
              FROM pg_catalog.pg_amproc s
             WHERE touched.class = 'pg_catalog.pg_amproc'::regclass AND s.oid = touched.object
            UNION ALL
            SELECT 'pg_catalog.pg_type'::regclass, o.opcintype
              FROM pg_catalog.pg_opclass o
             WHERE touched.class = 'pg_catalog.pg_opclass'::regclass AND o.oid = touched.object
                OR touched.class = 'pg_catalog.pg_opfamily'::regclass AND o.opcfamily = touched.object
           ) next (class, object)
)
SELECT m.tview_oid::oid
  FROM @extschema@.pg_tview_definition m
  JOIN pg_catalog.pg_class t ON t.oid = m.tview_oid
 WHERE EXISTS (SELECT 1 FROM @extschema@.pg_tview_meta_audit a
                WHERE a.tview_oid = m.tview_oid AND a.operation IN ('create', 'redefine'))
   AND (m.state <> 'suspended' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class v WHERE v.oid = m.view_oid)
        OR EXISTS (
            SELECT 1
              FROM touched
              JOIN pg_catalog.pg_class c ON c.oid = touched.object
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE touched.class = 'pg_catalog.pg_class'::regclass
               AND (c.oid IN (m.tview_oid::oid, m.view_oid::oid) OR n.nspname = m.view_schema AND c.relname = m.view_name)))
