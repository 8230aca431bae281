-- TVIEWs whose rows may be others after the running command: it has touched their table, their backing view, or something that this
-- depends on, in whatever way. And those whose backing view is gone unnoticed so far. Not those that a restore has brought: they are
-- registered anew when it is through.
WITH RECURSIVE touched(class, object) AS (
    SELECT CASE WHEN r.oid IS NULL AND p.oid IS NULL THEN c.classid ELSE 'pg_catalog.pg_class'::regclass END,
           coalesce(r.ev_class, p.polrelid, c.objid)
      FROM pg_catalog.pg_event_trigger_ddl_commands() c
      LEFT JOIN pg_catalog.pg_rewrite r ON c.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = c.objid
      LEFT JOIN pg_catalog.pg_policy p ON c.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = c.objid
     WHERE c.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
                         'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass)
    UNION
    SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::regclass END, coalesce(r.ev_class, d.objid)
      FROM touched
      JOIN pg_catalog.pg_depend d ON d.refclassid = touched.class AND d.refobjid = touched.object
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
     WHERE d.classid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_rewrite'::regclass)
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
