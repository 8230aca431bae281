COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text, interval, text[], text) IS
    'Creates or redefines a TVIEW: the tv_ table that is kept equal to the v_ view of an entity. Returns the table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop(text, boolean, boolean) IS
    'Drops a TVIEW: its definition, its table unless keep_table is true, and its view if the extension created it.';
COMMENT ON FUNCTION @extschema@.pg_tviews_create_fresh_view(text) IS
    'Creates the fv_ view of a TVIEW: what the v_ view returns at this moment, mostly read from the table. Returns the view.';
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert_plan(name) IS
    'What pg_tviews_auto_convert() would do with each tv_ table and each materialized view of a schema. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_auto_convert(name) IS
    'Creates a TVIEW for each tv_ table of a schema that has a v_ view or a tb_ table, and for each materialized view that can become one. A table that fails does not stop the others.';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh(text, text[]) IS
    'Requests that these keys of a TVIEW, or all rows, are recomputed after the calling transaction commits.';
COMMENT ON FUNCTION @extschema@.pg_tviews_bulk_load(regclass) IS
    'Counts all rows of a table as changed, and no longer captures those that the calling transaction changes one by one.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(text, interval) IS
    'Waits until everything committed before the call is visible in a TVIEW, or in all TVIEWs. False on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(text, text) IS
    'Waits for a TVIEW if the text is a timeout, or for one key if the text is a key. False on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(varchar, text, interval) IS
    'Waits until every change that was committed before the call and affects one key of a TVIEW is visible. False on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(varchar, anyelement, interval) IS
    'Waits for one key of any type, such as an integer or a uuid. False on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_require(text, interval) IS
    'Waits until a TVIEW is no later than that, as pg_tviews.on_stale says. An error if that cannot be.';
COMMENT ON FUNCTION @extschema@.pg_tviews_token() IS
    'What is committed now, and what the calling transaction will commit, as text for pg_tviews_wait_for().';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for(text, text, interval) IS
    'Waits until what a token names is visible in a TVIEW, or in all TVIEWs. False on timeout.';
COMMENT ON FUNCTION @extschema@.pg_tviews_pending(text, text[]) IS
    'Keys of a TVIEW, or those of the given keys, with committed changes that are not applied yet, and since when.';
COMMENT ON PROCEDURE @extschema@.pg_tviews_drain(text) IS
    'Applies all pending changes of a TVIEW, or of all TVIEWs of the caller, in the calling session.';
COMMENT ON FUNCTION @extschema@.pg_tviews_pause(text) IS 'Stops refreshing a TVIEW. Its changes wait in pg_tview_queue.';
COMMENT ON FUNCTION @extschema@.pg_tviews_resume(text) IS 'Resumes refreshing a paused TVIEW, or tries a suspended one immediately.';
COMMENT ON FUNCTION @extschema@.pg_tviews_retry(text) IS
    'Requests that the dead keys of a TVIEW, or of all TVIEWs of the caller, are tried again. Returns how many there are.';
COMMENT ON FUNCTION @extschema@.pg_tviews_check(text) IS
    'Compares the table of a TVIEW with its view now: keys that are missing, extra or different.';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain(text, text[]) IS
    'How changes of each source of a TVIEW, a view or a query are followed, which indexes would make this cheaper, and which aggregates run along. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_graph(text, text) IS
    'Which tables and TVIEWs feed which, as text that other programs draw: mermaid, dot or json. Of one TVIEW, or of all.';
COMMENT ON FUNCTION @extschema@.pg_tviews_cost(interval) IS
    'What changes of each source have cost the refreshes of each TVIEW, with the transactions that cost most. From the audit table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_compare(text, text, int) IS
    'What another query for a TVIEW would change: rows inserted and deleted, and paths in rows that are updated. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_affected(text, regclass, jsonb) IS
    'Keys of a TVIEW that changes of these rows of a source would refresh. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_health_check() IS
    'Whether changes are captured and applied, per component, with what to do about each fault.';
COMMENT ON FUNCTION @extschema@.pg_tviews_queued(oid[], pg_snapshot) IS
    'Rows of pg_tview_queue, for the extension itself: of some sources, by transactions that a snapshot does not see.';
COMMENT ON FUNCTION @extschema@.pg_tviews_is_queued(oid[], oid, pg_snapshot, pg_snapshot) IS
    'Whether pg_tview_queue has a row for a TVIEW, for the extension itself.';
COMMENT ON FUNCTION @extschema@.pg_tviews_running_group(int, text[], bigint, text[], boolean) IS
    'Returns the number of rows of a group, for statements of the extension itself. A refresh notes the group.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind(regclass, "any") IS
    'Condition in fresh views: whether the row of a key may differ from the row in the table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_by_list(regclass, "any") IS
    'Condition in fresh views: whether rows that are behind are found by a list of their keys.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_by_filter(regclass, boolean, "any") IS
    'Condition in fresh views: whether rows that are behind are found among the rows that a query asks for.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_keys(regclass, int, anyarray) IS
    'Condition in fresh views: the values of a key column in rows that are behind.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_query(regclass, text) IS
    'Condition in fresh views over other TVIEWs: an error if a view below has another query by now.';
COMMENT ON FUNCTION @extschema@.pg_tviews_behind_support(internal) IS 'Planner support function of the conditions in fresh views.';
COMMENT ON FUNCTION @extschema@.pg_tviews_queue_written() IS
    'Trigger function of pg_tview_queue, for rows that capture has not written.';
COMMENT ON FUNCTION @extschema@.pg_tviews_status() IS 'Rows of the view pg_tview_status.';
COMMENT ON FUNCTION @extschema@.pg_tviews_consistent(text[]) IS
    'Whether TVIEWs, and those that feed them, show the same moment in the snapshot of the calling statement.';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh_groups() IS 'The columns of pg_tview_status that are about groups of TVIEWs.';
COMMENT ON FUNCTION @extschema@.pg_tviews_progress() IS 'Rows of the view pg_tview_progress.';
COMMENT ON FUNCTION @extschema@.pg_tviews_metrics() IS 'Rows of the view pg_tview_metrics.';
COMMENT ON FUNCTION @extschema@.pg_tviews_server_metrics() IS 'The row of the view pg_tview_server_metrics.';
COMMENT ON FUNCTION @extschema@.pg_tviews_stored_groups(regclass) IS
    'How many groups of a TVIEW are stored as running aggregates, and how often refreshes have read one. 0 on a standby.';
COMMENT ON FUNCTION @extschema@.pg_tviews_subscribe(text, text[]) IS
    'Begins to keep changes of TVIEWs with a feed for a consumer: all that the calling statement does not see yet. Returns a token.';
COMMENT ON FUNCTION @extschema@.pg_tviews_changes(text, int) IS
    'The next changes for a consumer, each with the token that acknowledges it and all before it. Returns the same until they are acknowledged.';
COMMENT ON FUNCTION @extschema@.pg_tviews_ack(text, text) IS
    'Acknowledges the change that a token was returned with, and all before it. Takes effect with the calling transaction.';
COMMENT ON FUNCTION @extschema@.pg_tviews_unsubscribe(text) IS 'Removes a consumer of the change feed.';
COMMENT ON FUNCTION @extschema@.pg_tviews_provenance(text, text) IS
    'The changes of a row that are in the change feed, newest first, with the audit rows of their refreshes and where the changes came from.';
COMMENT ON FUNCTION @extschema@.pg_tviews_export(name) IS 'SQL that makes the TVIEWs of a schema, or of all schemas, again, settings included. Run where they exist, it leaves them unchanged.';
COMMENT ON FUNCTION @extschema@.pg_tviews_lint(name) IS 'What in the definitions of the TVIEWs of a schema, or of all schemas, will be slow, late, or not followed. Changes nothing.';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'Version of the extension''s library.';
COMMENT ON FUNCTION @extschema@.pg_tviews_meta_written() IS
    'Trigger function of pg_tview_meta: updates fk_columns, max_latency, feed, refresh_group and throttle_lag, refuses other updates, and adds the rows of a dump in which it was a table.';
COMMENT ON FUNCTION @extschema@.pg_tviews_meta_added() IS
    'Trigger function of pg_tview_definition: for a restored definition, all rows of the TVIEW are compared.';
COMMENT ON FUNCTION @extschema@.pg_tviews_guard() IS
    'Trigger function of tv tables: refuses direct writes to maintained columns, unless pg_tviews.allow_table_writes is on.';
COMMENT ON FUNCTION @extschema@.pg_tviews_ddl_happened() IS
    'Event trigger function: makes workers check whether DDL changed what a backing view returns.';
COMMENT ON FUNCTION @extschema@.pg_tviews_objects_dropped() IS
    'Event trigger function: removes the definitions of TVIEWs whose table was dropped.';

COMMENT ON VIEW @extschema@.pg_tview_meta IS 'One row per TVIEW. Owners may update fk_columns, max_latency, feed, refresh_group and throttle_lag.';
COMMENT ON TABLE @extschema@.pg_tview_definition IS 'The table behind pg_tview_meta. Only the extension writes it.';
COMMENT ON TABLE @extschema@.pg_tview_queue IS 'Committed changes that at least one TVIEW has not absorbed yet.';
COMMENT ON TABLE @extschema@.pg_tview_meta_audit IS 'One row per refresh and per management action, kept for pg_tviews.audit_retention.';
COMMENT ON TABLE @extschema@.pg_tview_dead_letter IS 'Keys that could not be recomputed while all others were. They are tried again from time to time.';
COMMENT ON TABLE @extschema@.pg_tview_backlog_part IS 'Parts of a large backlog while several workers apply it, with at most pg_tviews.batch_size keys each.';
COMMENT ON TABLE @extschema@.pg_tview_running IS 'Aggregates of large groups that refreshes move on instead of reading the groups again. A cache: entries come and go.';
COMMENT ON TABLE @extschema@.pg_tview_running_position IS 'Which changes the stored groups of each TVIEW have absorbed, and how often these groups were read.';
COMMENT ON TABLE @extschema@.pg_tview_comparison IS 'Running comparisons of all rows of a large TVIEW with its view, and the progress of each.';
COMMENT ON TABLE @extschema@.pg_tview_verification IS 'How far the verification of each TVIEW is, and what it has found.';
COMMENT ON VIEW @extschema@.pg_tview_status IS 'State, backlog and latency of each TVIEW.';
COMMENT ON VIEW @extschema@.pg_tview_progress IS 'Operations on TVIEWs that are running now, and how far they are.';
COMMENT ON VIEW @extschema@.pg_tview_metrics IS 'For monitoring: what refreshes of each TVIEW have done since the server started, and what waits.';
COMMENT ON VIEW @extschema@.pg_tview_server_metrics IS 'For monitoring: launcher, workers and log of this database.';
COMMENT ON TABLE @extschema@.pg_tview_change IS 'The change feed: which rows of TVIEWs with a feed were written. Consumers read it by pg_tviews_changes().';
COMMENT ON TABLE @extschema@.pg_tview_subscription IS 'The table behind pg_tview_consumer: who reads the change feed.';
COMMENT ON TABLE @extschema@.pg_tview_acknowledgement IS 'What consumers of the change feed have acknowledged. The newest row of each counts.';
COMMENT ON TABLE @extschema@.pg_tview_lost_consumer IS 'Consumers that have missed changes, as these were removed first. They have to subscribe again.';
COMMENT ON TABLE @extschema@.pg_tview_revision IS 'The greatest revisions among deleted rows of TVIEWs whose table has a column revision. New rows begin after them.';
COMMENT ON VIEW @extschema@.pg_tview_consumer IS 'Consumers of the change feed: what each has acknowledged, and how far behind it is.';
