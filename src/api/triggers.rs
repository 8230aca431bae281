//! The trigger functions and event trigger functions of the extension, but for the capture trigger.

use pgrx::prelude::*;

use crate::define::{create_table_as, ddl_events, meta_update, restored, unrelated_ddl, write_guard};
use crate::postgres::triggers::meta_insert::MetaInsertCall;
use crate::postgres::triggers::meta_update::{MetaUpdateCall, Operation};
use crate::postgres::triggers::write_guard::WriteGuardCall;
use crate::postgres::triggers::written_row::WrittenRow;
use crate::postgres::triggers::{ddl_command, ddl_event, queue_written};
use crate::wake::queue_blocks;

::pgrx::extension_sql_file!(
    "../../sql/install/triggers.sql",
    name = "triggers",
    requires = [
        "relations",
        pg_tviews_meta_written,
        pg_tviews_meta_added,
        pg_tviews_ddl_happened,
        pg_tviews_objects_dropped,
        pg_tviews_queue_written
    ]
);

/// INSTEAD OF trigger of the view pg_tview_meta.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_meta_written() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_meta_written(fcinfo: pg_sys::FunctionCallInfo) -> WrittenRow {
    let row = MetaUpdateCall::of(fcinfo);
    match row.operation() {
        Operation::Insert => restored::insert(&row),
        Operation::Update => meta_update::update(&row),
        Operation::Delete => meta_update::refuse_delete(&row),
    }
    row.written()
}

/// Row trigger of pg_tview_definition.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_meta_added() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_meta_added(fcinfo: pg_sys::FunctionCallInfo) -> WrittenRow {
    let row = MetaInsertCall::of(fcinfo);
    row.written(c"state", restored::state_of_new(&row))
}

/// Statement trigger of pg_tview_queue, for rows that capture has not written.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_queue_written() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_queue_written(fcinfo: pg_sys::FunctionCallInfo) {
    queue_written::check(fcinfo);
    queue_blocks::forget();
}

/// Statement trigger of the tv tables.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_guard() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_guard(fcinfo: pg_sys::FunctionCallInfo) {
    write_guard::write(&WriteGuardCall::of(fcinfo));
}

/// Event trigger for commands that create or alter: a view may return something else now, or exist again.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_ddl_happened() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_ddl_happened(fcinfo: pg_sys::FunctionCallInfo) {
    if ddl_command::is_table_as(fcinfo) {
        create_table_as::refuse_missed();
    }
    if !unrelated_ddl::is_unrelated(ddl_command::of(fcinfo), || ddl_event::changed_by(fcinfo)) {
        ddl_events::happened(&ddl_event::changed_by(fcinfo));
    }
}

/// Event trigger for objects that were dropped: among them may be tv tables.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_objects_dropped() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_objects_dropped(_fcinfo: pg_sys::FunctionCallInfo) {
    if !unrelated_ddl::is_unrelated_drop() {
        ddl_events::dropped();
    }
}
