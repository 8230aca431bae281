//! Functions that create, change and drop TVIEWs.

use std::time::Duration;

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::Array;

use crate::define::arguments::{allow_full_named, check_max_latency, column_names, seconds, tview_name};
use crate::define::create::{self, Made, Request, Triggers};
use crate::define::{conversion_plan, convert, drop, export, fresh_view, pause};
use crate::error::OrRaise;
use crate::postgres::sql_types::{texts, Name, RegClass};
use crate::postgres::transaction::refuse_read_only;
use crate::settings::{self, AllowFull};

::pgrx::extension_sql_file!(
    "../../sql/install/fresh_views.sql",
    name = "fresh_views",
    requires = ["relations"]
);

#[pg_extern(volatile, parallel_unsafe, name = "pg_tviews_create")]
fn pg_tviews_create_allowing(
    name: Option<&str>,
    query: default!(Option<&str>, "NULL"),
    max_latency: default!(Option<Interval>, "NULL"),
    key_columns: default!(Option<Array<&str>>, "NULL"),
    allow_full: default!(Option<&str>, "NULL"),
) -> RegClass {
    let allow_full = allow_full.map_or(Ok(settings::allow_full()), allow_full_named);
    created(name, query, max_latency, key_columns, allow_full.or_raise())
}

/// The function as objects of version 0.2 declare it.
#[pg_extern(sql = false)]
fn pg_tviews_create(
    name: Option<&str>,
    query: Option<&str>,
    max_latency: Option<Interval>,
    key_columns: Option<Array<&str>>,
) -> RegClass {
    created(name, query, max_latency, key_columns, settings::allow_full())
}

fn created(
    name: Option<&str>,
    query: Option<&str>,
    max_latency: Option<Interval>,
    key_columns: Option<Array<&str>>,
    allow_full: AllowFull,
) -> RegClass {
    refuse_read_only("pg_tviews_create()");
    let max_latency = max_latency.map(|interval| {
        let seconds = seconds(&interval);
        check_max_latency(seconds).or_raise();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    });
    let key_columns = key_columns
        .as_ref()
        .map(|columns| column_names("key_columns", &texts(columns)).or_raise());
    let table = create::create(Request {
        name: tview_name(name).or_raise().to_string(),
        query: query.map(str::to_string),
        max_latency,
        key_columns,
        allow_full,
        called: "pg_tviews_create",
        triggers: Triggers::Now,
        statement: None,
        made: Made::default(),
    });
    RegClass(table)
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_drop(name: &str, if_exists: default!(bool, "false"), keep_table: default!(bool, "false")) {
    refuse_read_only("pg_tviews_drop()");
    drop::drop_tview(name, if_exists, keep_table);
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_create_fresh_view(name: Option<&str>) -> RegClass {
    refuse_read_only("pg_tviews_create_fresh_view()");
    RegClass(fresh_view::create(tview_name(name).or_raise()))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_export(schema_name: default!(Option<Name>, "NULL")) -> String {
    export::export(schema_name.as_ref().map(|name| name.0.as_str())).or_raise()
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
    TableIterator::new(conversion_plan::plan(&schema_name.0).into_iter().map(|step| {
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
            .map(|outcome| (outcome.entity, outcome.status.to_string(), outcome.message)),
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
