-- TVIEWs whose view depends, in whatever way, on a type that the running command has altered.
WITH RECURSIVE touched(class, object) AS (
    SELECT classid, objid FROM pg_catalog.pg_event_trigger_ddl_commands()
     WHERE command_tag IN ('ALTER TYPE', 'ALTER DOMAIN')
    UNION
    SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::regclass END, coalesce(r.ev_class, d.objid)
      FROM touched
      JOIN pg_catalog.pg_depend d ON d.refclassid = touched.class AND d.refobjid = touched.object
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
     WHERE d.classid IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
                         'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_rewrite'::regclass)
)
SELECT DISTINCT m.tview_oid::oid
  FROM @extschema@.pg_tview_definition m
  JOIN touched ON touched.class = 'pg_catalog.pg_class'::regclass AND touched.object = m.view_oid::oid
