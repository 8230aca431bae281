COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text, interval, text[]) IS
    'Creates or redefines a TVIEW: the tv_ table that follows the v_ view of an entity; returns the table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop(text, boolean, boolean) IS
    'Drops a TVIEW: its definition, its table unless keep_table, and its view if the extension made it.';
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert_plan(name) IS
    'What pg_tviews_auto_convert() would do with each tv_ table of a schema; changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert(name) IS
    'Makes a TVIEW of every tv_ table of a schema that has a v_ view or a tb_ table; one that fails stops no other.';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh(text, text[]) IS
    'Asks for these keys of a TVIEW, or all rows, to be recomputed once the calling transaction commits.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(text, interval) IS
    'Waits until everything committed before the call is visible in a TVIEW, or in all; false on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(text, text) IS
    'Waits for a TVIEW or for one key, as the text reads like a timeout or like a key; false on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(varchar, text, interval) IS
    'Waits until everything committed before the call that concerns one key of a TVIEW is visible; false on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(varchar, anyelement, interval) IS
    'The same for a key of any type: an integer, a uuid.';
COMMENT ON FUNCTION @extschema@.pg_tviews_pending(text, text[]) IS
    'Keys of a TVIEW, or those of them that are given, with committed changes that are not applied yet, and since when.';
COMMENT ON PROCEDURE @extschema@.pg_tviews_drain(text) IS
    'Applies everything pending for a TVIEW, or for all, in the calling session.';
COMMENT ON FUNCTION @extschema@.pg_tviews_pause(text) IS 'Stops refreshing a TVIEW; its changes wait in pg_tview_queue.';
COMMENT ON FUNCTION @extschema@.pg_tviews_resume(text) IS 'Goes on refreshing a paused TVIEW, or tries a suspended one at once.';
COMMENT ON FUNCTION @extschema@.pg_tviews_retry(text) IS
    'Asks for the dead keys of a TVIEW, or of all TVIEWs of the caller, to be tried again; returns how many there are.';
COMMENT ON FUNCTION @extschema@.pg_tviews_check(text) IS
    'Compares a TVIEW with its view right now: keys that are missing, extra or different.';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain(text, text[]) IS
    'How changes of each source of a TVIEW, a view or a query are followed, and what is missing for that to be cheap; changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_affected(text, regclass, jsonb) IS
    'Keys of a TVIEW that changes of these rows of a source would refresh; changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_health_check() IS
    'Whether changes are captured and applied, per component; what is wrong comes with what to do about it.';
COMMENT ON FUNCTION @extschema@.pg_tviews_queued() IS
    'Rows of pg_tview_queue, for the extension itself in SERIALIZABLE transactions.';
COMMENT ON FUNCTION @extschema@.pg_tviews_status() IS 'What the view pg_tview_status shows.';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'Version of the extension''s library.';
COMMENT ON FUNCTION @extschema@.pg_tviews_meta_written() IS
    'Trigger function of pg_tview_meta: makes an update of fk_columns or max_latency, refuses others; adds what a dump of pg_tviews 0.1.0 holds.';
COMMENT ON FUNCTION @extschema@.pg_tviews_meta_added() IS
    'Trigger function of pg_tview_definition: a definition that a dump brings is reconciled.';
COMMENT ON FUNCTION @extschema@.pg_tviews_guard() IS
    'Trigger function of tv tables: refuses writes of others to maintained columns, unless pg_tviews.allow_table_writes is on.';
COMMENT ON FUNCTION @extschema@.pg_tviews_ddl_happened() IS
    'Event trigger function: makes workers look whether DDL changed what a backing view returns.';
COMMENT ON FUNCTION @extschema@.pg_tviews_objects_dropped() IS
    'Event trigger function: forgets TVIEWs whose table was dropped.';

COMMENT ON VIEW @extschema@.pg_tview_meta IS 'One row per TVIEW. Owners may update fk_columns and max_latency.';
COMMENT ON TABLE @extschema@.pg_tview_definition IS 'What pg_tview_meta shows. Only the extension writes it.';
COMMENT ON TABLE @extschema@.pg_tview_queue IS 'Committed changes that at least one TVIEW has not absorbed yet.';
COMMENT ON TABLE @extschema@.pg_tview_meta_audit IS 'One row per refresh and per management action, kept for pg_tviews.audit_retention.';
COMMENT ON TABLE @extschema@.pg_tview_dead_letter IS 'Keys that could not be recomputed, while all others were; tried again from time to time.';
COMMENT ON TABLE @extschema@.pg_tview_backlog_part IS 'A large backlog while several workers apply it, cut into parts of pg_tviews.batch_size keys at most.';
COMMENT ON TABLE @extschema@.pg_tview_comparison IS 'Comparisons of all rows of a large TVIEW with its view that are under way, and how far each has come.';
COMMENT ON VIEW @extschema@.pg_tview_status IS 'State, backlog and latency of each TVIEW.';
