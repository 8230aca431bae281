touched (class, object) AS (
    -- The objects (class, object) of "seed" and all objects that depend on them, directly or indirectly.
    -- fingerprint.sql follows dependencies downwards through the catalogs. This part follows them upwards.
    -- Every lookup uses an index.
    SELECT seed.class, seed.object FROM seed
    UNION
    SELECT next.class, next.object
      FROM touched
     CROSS JOIN LATERAL (
            SELECT d.classid, d.objid
              FROM pg_catalog.pg_depend d
             WHERE d.refclassid = touched.class AND d.refobjid = touched.object
               AND (d.classid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass,
                                  'pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_rewrite'::pg_catalog.regclass,
                                  'pg_catalog.pg_policy'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass,
                                  'pg_catalog.pg_cast'::pg_catalog.regclass, 'pg_catalog.pg_language'::pg_catalog.regclass,
                                  'pg_catalog.pg_transform'::pg_catalog.regclass, 'pg_catalog.pg_opclass'::pg_catalog.regclass,
                                  'pg_catalog.pg_opfamily'::pg_catalog.regclass, 'pg_catalog.pg_amop'::pg_catalog.regclass,
                                  'pg_catalog.pg_amproc'::pg_catalog.regclass, 'pg_catalog.pg_ts_config'::pg_catalog.regclass,
                                  'pg_catalog.pg_ts_dict'::pg_catalog.regclass, 'pg_catalog.pg_ts_parser'::pg_catalog.regclass,
                                  'pg_catalog.pg_ts_template'::pg_catalog.regclass)
                    -- A column of that type.
                    OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid > 0
                   AND touched.class IN ('pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_collation'::pg_catalog.regclass)
                    -- The relations of that schema.
                    OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND touched.class = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
            UNION ALL
            -- The object that this object is a part of.
            SELECT whole.class, whole.object
              FROM (SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, r.oid, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, r.ev_class
                      FROM pg_catalog.pg_rewrite r
                    UNION ALL
                    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, p.polrelid
                      FROM pg_catalog.pg_policy p
                    UNION ALL
                    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, c.contypid
                      FROM pg_catalog.pg_constraint c
                    UNION ALL
                    -- The row type of a relation.
                    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype
                      FROM pg_catalog.pg_class c
                    UNION ALL
                    SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, c.castsource
                      FROM pg_catalog.pg_cast c
                    UNION ALL
                    SELECT 'pg_catalog.pg_amop'::pg_catalog.regclass, s.oid, 'pg_catalog.pg_opfamily'::pg_catalog.regclass, s.amopfamily
                      FROM pg_catalog.pg_amop s
                    UNION ALL
                    SELECT 'pg_catalog.pg_amproc'::pg_catalog.regclass, s.oid, 'pg_catalog.pg_opfamily'::pg_catalog.regclass, s.amprocfamily
                      FROM pg_catalog.pg_amproc s
                    UNION ALL
                    SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, o.opcintype
                      FROM pg_catalog.pg_opclass o) whole (part_class, part, class, object)
             WHERE whole.part_class = touched.class AND whole.part = touched.object AND whole.object <> 0
            UNION ALL
            SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, o.opcintype
              FROM pg_catalog.pg_opclass o
             WHERE touched.class = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND o.opcfamily = touched.object
           ) next (class, object)
), tview (oid) AS (
    -- The TVIEWs among these objects, by table, by backing view, or by the name of a backing view.
    SELECT DISTINCT found.oid
      FROM touched
     CROSS JOIN LATERAL (
            SELECT m.tview_oid::oid
              FROM @extschema@.pg_tview_definition m
             WHERE m.tview_oid = touched.object::pg_catalog.regclass
            UNION ALL
            SELECT m.tview_oid::oid
              FROM @extschema@.pg_tview_definition m
             WHERE m.view_oid = touched.object::pg_catalog.regclass
            UNION ALL
            SELECT m.tview_oid::oid
              FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              JOIN @extschema@.pg_tview_definition m ON m.view_schema = n.nspname AND m.view_name = c.relname
             WHERE c.oid = touched.object
            OFFSET 0) found (oid)
     WHERE touched.class = 'pg_catalog.pg_class'::pg_catalog.regclass
)
