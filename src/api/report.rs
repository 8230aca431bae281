//! Functions for operators, which report what the extension has recorded; they change nothing.

use pgrx::datum::Interval;
use pgrx::prelude::*;

use crate::define::arguments::{seconds, tview_name};
use crate::define::compare;
use crate::error::OrRaise;
use crate::postgres::sql_types::{Document, RegClass};
use crate::report::{cost, graph};

#[pg_extern(stable, parallel_unsafe)]
fn pg_tviews_graph(
    name: default!(Option<&str>, "NULL"),
    format: default!(Option<&str>, "'mermaid'"),
) -> String {
    let name = name.map(|name| tview_name(Some(name)).or_raise());
    graph::graph(name, format.unwrap_or("mermaid")).or_raise()
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_compare(
    name: Option<&str>,
    query: Option<&str>,
    max_rows: default!(Option<i32>, "100"),
) -> TableIterator<
    'static,
    (
        name!(key, Document),
        name!(change, String),
        name!(path, Option<String>),
        name!(old, Option<Document>),
        name!(new, Option<Document>),
    ),
> {
    let rows = compare::compare(tview_name(name).or_raise(), query, max_rows).or_raise();
    TableIterator::new(rows.into_iter().map(|[key, change, path, old, new]| {
        (
            Document(key.unwrap_or_default()),
            change.unwrap_or_default(),
            path,
            old.map(Document),
            new.map(Document),
        )
    }))
}

#[pg_extern(stable, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_cost(
    since: default!(Option<Interval>, "'1 hour'"),
) -> TableIterator<
    'static,
    (
        name!(entity_name, String),
        name!(tview_oid, RegClass),
        name!(source, Option<RegClass>),
        name!(refreshes, i64),
        name!(comparisons, i64),
        name!(changes, Option<i64>),
        name!(keys, Option<i64>),
        name!(keys_per_change, Option<f64>),
        name!(seconds, f64),
        name!(worst_transactions, Option<Document>),
    ),
> {
    let since = since.as_ref().map(seconds);
    TableIterator::new(cost::cost(since).into_iter().map(|row| {
        (
            row.entity_name,
            RegClass(row.tview),
            row.source.map(RegClass),
            row.refreshes,
            row.comparisons,
            row.changes,
            row.keys,
            row.keys_per_change,
            row.seconds,
            row.worst_transactions.map(Document),
        )
    }))
}
