-- TVIEWs whose backing view, or a policy on what that reads, the running command has dropped.
WITH RECURSIVE gone AS MATERIALIZED (
    SELECT classid, objid, object_type, address_names FROM pg_catalog.pg_event_trigger_dropped_objects()
), touched(class, object) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid
      FROM gone
      JOIN pg_catalog.pg_namespace n ON n.nspname = gone.address_names[1]
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = gone.address_names[2]
     WHERE gone.object_type = 'policy'
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
 WHERE EXISTS (SELECT 1 FROM gone WHERE gone.classid = 'pg_catalog.pg_class'::regclass AND gone.objid = m.view_oid::oid)
    OR EXISTS (SELECT 1 FROM touched
                WHERE touched.class = 'pg_catalog.pg_class'::regclass AND touched.object IN (m.tview_oid::oid, m.view_oid::oid))
