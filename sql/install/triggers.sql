-- Names are resolved once, here: functions, operators and types are those of pg_catalog, whatever other schemas have.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TRIGGER pg_tviews_written INSTEAD OF INSERT OR UPDATE OR DELETE ON @extschema@.pg_tview_meta
    FOR EACH ROW EXECUTE FUNCTION @extschema@.pg_tviews_meta_written();

-- A restored definition has no position in this database, so the TVIEW starts with a population.
CREATE TRIGGER pg_tviews_added BEFORE INSERT ON @extschema@.pg_tview_definition
    FOR EACH ROW EXECUTE FUNCTION @extschema@.pg_tviews_meta_added();
ALTER TABLE @extschema@.pg_tview_definition ENABLE ALWAYS TRIGGER pg_tviews_added;

-- Capture inserts rows without triggers.
CREATE TRIGGER pg_tviews_queue_written AFTER INSERT OR UPDATE ON @extschema@.pg_tview_queue
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.pg_tviews_queue_written();
ALTER TABLE @extschema@.pg_tview_queue ENABLE ALWAYS TRIGGER pg_tviews_queue_written;

-- Fires for all commands. The objects of a command show whether it affects a TVIEW.
CREATE EVENT TRIGGER pg_tviews_ddl_happened ON ddl_command_end
    EXECUTE FUNCTION @extschema@.pg_tviews_ddl_happened();

CREATE EVENT TRIGGER pg_tviews_objects_dropped ON sql_drop
    EXECUTE FUNCTION @extschema@.pg_tviews_objects_dropped();

-- Also where replication or a restore script makes the change (session_replication_role = replica).
ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS;
ALTER EVENT TRIGGER pg_tviews_objects_dropped ENABLE ALWAYS;

-- Back to the search_path of CREATE EXTENSION.
SET LOCAL search_path = @extschema@, pg_temp;
