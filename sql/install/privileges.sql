-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

-- All roles can read definitions, like the catalogs. They can read the table too: the owner of the database runs pg_dump.
-- A trigger checks that updates come from the owner of the TVIEW.
GRANT SELECT ON @extschema@.pg_tview_definition TO PUBLIC;
GRANT SELECT, UPDATE (fk_columns, max_latency, feed, refresh_group, throttle_lag) ON @extschema@.pg_tview_meta TO PUBLIC;
-- The views show each role its own TVIEWs.
GRANT SELECT ON @extschema@.pg_tview_status, @extschema@.pg_tview_progress TO PUBLIC;
-- The view shows each role its own TVIEWs. Processes and sizes of the server are for monitoring.
GRANT SELECT ON @extschema@.pg_tview_metrics TO PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_server_metrics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.pg_tviews_server_metrics() TO pg_monitor;
GRANT SELECT ON @extschema@.pg_tview_server_metrics TO pg_monitor;
-- Change keys hold values of the sources.
GRANT SELECT ON @extschema@.pg_tview_queue, @extschema@.pg_tview_backlog_part, @extschema@.pg_tview_comparison,
    @extschema@.pg_tview_running, @extschema@.pg_tview_running_position, @extschema@.pg_tview_verification TO pg_monitor;
-- Dead keys and messages hold such values too. Owners see those of their own TVIEWs.
GRANT SELECT ON @extschema@.pg_tview_dead_letter, @extschema@.pg_tview_meta_audit TO PUBLIC;
ALTER TABLE @extschema@.pg_tview_dead_letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_monitoring ON @extschema@.pg_tview_dead_letter FOR SELECT
    USING (pg_catalog.pg_has_role('pg_monitor', 'USAGE')
           OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = tview_oid));
ALTER TABLE @extschema@.pg_tview_meta_audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_monitoring ON @extschema@.pg_tview_meta_audit FOR SELECT
    USING (pg_catalog.pg_has_role('pg_monitor', 'USAGE')
           OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = tview_oid));
-- So does the feed. Consumers read it by pg_tviews_changes(), which checks that they may read the tv table.
GRANT SELECT ON @extschema@.pg_tview_change TO PUBLIC;
ALTER TABLE @extschema@.pg_tview_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_monitoring ON @extschema@.pg_tview_change FOR SELECT
    USING (pg_catalog.pg_has_role('pg_monitor', 'USAGE')
           OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = tview_oid));
-- The view shows each role its own consumers.
GRANT SELECT ON @extschema@.pg_tview_consumer TO PUBLIC;
-- Numbers only. The owner of the database runs pg_dump.
GRANT SELECT ON @extschema@.pg_tview_revision TO PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_queued(oid[], pg_catalog.pg_snapshot) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_is_queued(oid[], oid, pg_catalog.pg_snapshot, pg_catalog.pg_snapshot) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_queue_written() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_meta_written() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_meta_added() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_ddl_happened() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.pg_tviews_objects_dropped() FROM PUBLIC;

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
