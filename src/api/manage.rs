//! Functions that create, change and drop TVIEWs.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::Array;
use std::time::Duration;

use crate::define::create::{self, Request};
use crate::define::meta_update::{self, check_latency, no_nulls};
use crate::define::{convert, ddl_events, drop, pause, restored, unrelated_ddl, write_guard};
use crate::error::{OrRaise, Problem};
use crate::postgres::sql_types::texts;
use crate::postgres::sql_types::{Name, RegClass};
use crate::postgres::transaction::refuse_read_only;
use crate::postgres::triggers::meta_insert::MetaInsertCall;
use crate::postgres::triggers::meta_update::{MetaUpdateCall, Operation};
use crate::postgres::triggers::written_row::WrittenRow;
use crate::postgres::triggers::{self, ddl_command, ddl_event};

::pgrx::extension_sql_file!(
    "../../sql/install/triggers.sql",
    name = "triggers",
    requires = [
        "relations",
        pg_tviews_meta_written,
        pg_tviews_meta_added,
        pg_tviews_ddl_happened,
        pg_tviews_objects_dropped
    ]
);

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_create(
    name: Option<&str>,
    query: default!(Option<&str>, "NULL"),
    max_latency: default!(Option<Interval>, "NULL"),
    key_columns: default!(Option<Array<&str>>, "NULL"),
) -> RegClass {
    refuse_read_only("pg_tviews_create()");
    let max_latency = max_latency.map(|interval| {
        let seconds = meta_update::seconds(&interval);
        check_latency(seconds).or_raise();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    });
    let key_columns = key_columns
        .as_ref()
        .map(|columns| no_nulls("key_columns", &texts(columns)).or_raise());
    let table = create::create(Request {
        name: given(name).to_string(),
        query: query.map(str::to_string),
        max_latency,
        key_columns,
        called: "pg_tviews_create",
    });
    RegClass(table)
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_drop(name: &str, if_exists: default!(bool, "false"), keep_table: default!(bool, "false")) {
    refuse_read_only("pg_tviews_drop()");
    drop::drop_tview(name, if_exists, keep_table);
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_auto_convert_plan(
    schema_name: default!(Name, "pg_catalog.current_schema()"),
) -> TableIterator<
    'static,
    (
        name!(entity, String),
        name!(base_table, Option<String>),
        name!(backing_view, String),
        name!(key_columns, Option<Vec<String>>),
        name!(action, String),
        name!(reason, String),
    ),
> {
    TableIterator::new(convert::plan(&schema_name.0).into_iter().map(|step| {
        (
            step.entity,
            step.base_table,
            step.backing_view,
            step.key_columns,
            step.action.name().to_string(),
            step.reason,
        )
    }))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_auto_convert(
    schema_name: default!(Name, "pg_catalog.current_schema()"),
) -> TableIterator<
    'static,
    (
        name!(entity, String),
        name!(status, String),
        name!(message, String),
    ),
> {
    refuse_read_only("pg_tviews_auto_convert()");
    TableIterator::new(
        convert::convert(&schema_name.0)
            .into_iter()
            .map(|(entity, status, message)| (entity, status.to_string(), message)),
    )
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_pause(name: &str) {
    refuse_read_only("pg_tviews_pause()");
    pause::pause(name);
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_resume(name: &str) {
    refuse_read_only("pg_tviews_resume()");
    pause::resume(name);
}

/// Row trigger of pg_tview_meta, instead of a write to the table behind it.
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

/// Statement trigger of the tv tables.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_guard() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_guard(fcinfo: pg_sys::FunctionCallInfo) {
    write_guard::write(&triggers::write_guard::WriteGuardCall::of(fcinfo));
}

/// Event trigger: DDL may have changed what a view returns, or brought a missing view back.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_ddl_happened() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_ddl_happened(fcinfo: pg_sys::FunctionCallInfo) {
    if !unrelated_ddl::is_unrelated(ddl_command::of(fcinfo), || ddl_event::changed_by(fcinfo)) {
        ddl_events::happened(&ddl_event::changed_by(fcinfo));
    }
}

/// Event trigger: a tv table may have been dropped.
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

/// The name of a TVIEW, where the function has arguments that may be NULL.
pub(super) fn given(name: Option<&str>) -> &str {
    name.ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "the name of a TVIEW must not be NULL",
        )
        .hint("Write it like post, tv_post or app.post.")
    })
    .or_raise()
}
