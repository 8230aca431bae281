//! Functions that only look.

use pgrx::prelude::*;
use pgrx::JsonB;

use super::manage::given;
use crate::catalog::meta_update::no_nulls;
use crate::error::OrRaise;
use crate::explain::explain;
use crate::health;
use crate::postgres::sql_types::RegClass;
use crate::refresh::{affected, check, pending};

#[pg_extern(stable, parallel_safe)]
fn pg_tviews_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_check(name: &str) -> TableIterator<'static, (name!(key, JsonB), name!(problem, String))> {
    TableIterator::new(check::differences(name).or_raise())
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_explain(
    name_or_query: Option<&str>,
    key_columns: default!(Option<Vec<Option<String>>>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(source, RegClass),
        name!(strategy, String),
        name!(captured_columns, Vec<String>),
        name!(key_query, Option<String>),
        name!(reason, Option<String>),
        name!(advice, Option<String>),
    ),
> {
    let key = key_columns.map(|columns| no_nulls("key_columns", columns).or_raise());
    // As of a function that is STRICT, which one with an optional argument cannot be.
    let rows = name_or_query.map(|text| explain(text, key).or_raise());
    TableIterator::new(rows.unwrap_or_default().into_iter().map(|row| {
        (
            RegClass(row.source),
            row.strategy.to_string(),
            row.captured_columns,
            row.key_query,
            row.reason,
            row.advice,
        )
    }))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_affected(
    name: &str,
    source: RegClass,
    keys: JsonB,
) -> TableIterator<'static, (name!(key, JsonB),)> {
    TableIterator::new(
        affected::affected(name, source.0, keys.0)
            .or_raise()
            .into_iter()
            .map(|key| (key,)),
    )
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_pending(
    name: Option<&str>,
    keys: default!(Option<Vec<Option<String>>>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(key, JsonB),
        name!(key_text, String),
        name!(pending_since, Option<TimestampWithTimeZone>),
    ),
> {
    let rows = pending::pending(given(name), keys).or_raise();
    TableIterator::new(rows.into_iter().map(|row| (row.key, row.text, row.since)))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_health_check() -> TableIterator<
    'static,
    (
        name!(status, String),
        name!(component, String),
        name!(message, String),
        name!(severity, String),
    ),
> {
    TableIterator::new(health::check().into_iter().map(|finding| {
        (
            finding.level.status().to_string(),
            finding.component.to_string(),
            finding.message,
            finding.level.severity().to_string(),
        )
    }))
}
