-- Removes the tables of the extension and of TVIEWs from the subscriptions of this database. Returns the
-- tables of TVIEWs.
WITH kept_here AS (
    SELECT m.tview_oid::oid AS oid, true AS is_tview FROM @extschema@.pg_tview_definition m
    UNION ALL
    SELECT d.objid, false
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid
     WHERE e.extname = 'pg_tviews' AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::regclass
), removed AS (
    DELETE FROM pg_catalog.pg_subscription_rel r USING kept_here WHERE r.srrelid = kept_here.oid
    RETURNING kept_here.oid, is_tview
)
SELECT DISTINCT oid FROM removed WHERE is_tview
