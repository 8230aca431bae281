//! Functions that report state and explain definitions; they change nothing.

use pgrx::prelude::*;
use pgrx::Array;

use crate::catalog::{progress, status};
use crate::define::arguments::{column_names, tview_name};
use crate::error::OrRaise;
use crate::explain::{explain, lint, Row};
use crate::health;
use crate::postgres::sql_types::{texts, Document, Name, RegClass};
use crate::session::promise::{consistent, groups};
use crate::session::{affected, check, pending};

::pgrx::extension_sql_file!(
    "../../sql/install/status.sql",
    name = "status",
    requires = [
        "relations",
        pg_tviews_status,
        pg_tviews_stored_groups,
        pg_tviews_refresh_groups,
        pg_tviews_progress
    ]
);

::pgrx::extension_sql_file!(
    "../../sql/install/metrics.sql",
    name = "metrics",
    requires = ["relations"]
);

#[pg_extern(stable, parallel_safe)]
fn pg_tviews_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_check(name: &str) -> TableIterator<'static, (name!(key, Document), name!(problem, String))> {
    let rows = check::differences(name).or_raise();
    TableIterator::new(
        rows.into_iter()
            .map(|[key, problem]| (Document(key.unwrap_or_default()), problem.unwrap_or_default())),
    )
}

#[pg_extern(volatile, parallel_unsafe, name = "pg_tviews_explain")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_explain_aggregates(
    name_or_query: Option<&str>,
    key_columns: default!(Option<Array<&str>>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(source, RegClass),
        name!(strategy, String),
        name!(captured_columns, Vec<String>),
        name!(key_query, Option<String>),
        name!(reason, Option<String>),
        name!(advice, Option<String>),
        name!(running_aggregates, Option<String>),
    ),
> {
    TableIterator::new(explained(name_or_query, key_columns).map(|row| {
        (
            RegClass(row.source),
            row.strategy.to_string(),
            row.captured_columns,
            row.key_query,
            row.reason,
            row.advice,
            row.running_aggregates,
        )
    }))
}

/// The function as objects of version 0.2 declare it.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // As above.
fn pg_tviews_explain(
    name_or_query: Option<&str>,
    key_columns: Option<Array<&str>>,
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
    TableIterator::new(explained(name_or_query, key_columns).map(|row| {
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

/// No rows for NULL, as if the function were STRICT. With an optional argument that may be NULL, it cannot be.
fn explained(name_or_query: Option<&str>, key_columns: Option<Array<&str>>) -> impl Iterator<Item = Row> {
    let key = key_columns
        .as_ref()
        .map(|columns| column_names("key_columns", &texts(columns)).or_raise());
    let rows = name_or_query.map(|text| explain(text, key).or_raise());
    rows.unwrap_or_default().into_iter()
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_lint(
    schema_name: default!(Option<Name>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(tview_oid, RegClass),
        name!(rule, String),
        name!(severity, String),
        name!(source, Option<RegClass>),
        name!(message, String),
        name!(hint, Option<String>),
    ),
> {
    let found = lint::lint(schema_name.as_ref().map(|name| name.0.as_str())).or_raise();
    TableIterator::new(found.into_iter().map(|finding| {
        (
            RegClass(finding.tview),
            finding.rule.to_string(),
            finding.severity.to_string(),
            finding.source.map(RegClass),
            finding.message,
            finding.hint,
        )
    }))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_affected(
    name: &str,
    source: RegClass,
    keys: Document,
) -> TableIterator<'static, (name!(key, Document),)> {
    TableIterator::new(
        affected::affected(name, source.0, keys)
            .or_raise()
            .into_iter()
            .map(|[key]| (Document(key.unwrap_or_default()),)),
    )
}

#[pg_extern(volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_pending(
    name: Option<&str>,
    keys: default!(Option<Array<&str>>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(key, Document),
        name!(key_text, String),
        name!(pending_since, Option<TimestampWithTimeZone>),
    ),
> {
    let keys = keys.as_ref().map(texts);
    let rows = pending::pending(tview_name(name).or_raise(), keys.as_deref()).or_raise();
    TableIterator::new(rows.into_iter().map(|[key, text, since]| {
        (
            Document(key.unwrap_or_default()),
            text.unwrap_or_default(),
            since.and_then(|since| pending::since(&since)),
        )
    }))
}

#[pg_extern(stable, parallel_unsafe)]
fn pg_tviews_consistent(names: Array<&str>) -> bool {
    consistent::consistent(&texts(&names)).or_raise()
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

/// The rows of the view pg_tview_status.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_status() RETURNS TABLE (
    entity_name text, tview_oid regclass, state text, pending_changes bigint, oldest_pending_at timestamptz, lag interval,
    max_latency interval, within_bound boolean, last_refresh_at timestamptz, latency_p50_ms float8, latency_p95_ms float8,
    latency_p99_ms float8, refreshes bigint, rows_written bigint, dead_letter_keys bigint, last_error text)
    LANGUAGE c STABLE STRICT ROWS 100 COST 1000
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_status() -> TableIterator<
    'static,
    (
        name!(entity_name, String),
        name!(tview_oid, RegClass),
        name!(state, String),
        name!(pending_changes, i64),
        name!(oldest_pending_at, Option<TimestampWithTimeZone>),
        name!(lag, Interval),
        name!(max_latency, Interval),
        name!(within_bound, bool),
        name!(last_refresh_at, Option<TimestampWithTimeZone>),
        name!(latency_p50_ms, Option<f64>),
        name!(latency_p95_ms, Option<f64>),
        name!(latency_p99_ms, Option<f64>),
        name!(refreshes, i64),
        name!(rows_written, i64),
        name!(dead_letter_keys, i64),
        name!(last_error, Option<String>),
    ),
> {
    TableIterator::new(status::status().into_iter().map(|row| {
        let [p50, p95, p99] = row.latency;
        (
            row.entity_name,
            RegClass(row.tview),
            row.state,
            row.pending_changes,
            row.oldest_pending_at,
            row.lag,
            row.max_latency,
            row.within_bound,
            row.last_refresh_at,
            p50,
            p95,
            p99,
            row.refreshes,
            row.rows_written,
            row.dead_letter_keys,
            row.last_error,
        )
    }))
}

/// Groups of TVIEWs, for the view pg_tview_status.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_refresh_groups() RETURNS TABLE (
    tview_oid regclass, refresh_group text, consistent boolean, latency_p50_ms float8, latency_p95_ms float8)
    LANGUAGE c STABLE STRICT ROWS 10 COST 1000
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_refresh_groups() -> TableIterator<
    'static,
    (
        name!(tview_oid, RegClass),
        name!(refresh_group, String),
        name!(consistent, bool),
        name!(latency_p50_ms, Option<f64>),
        name!(latency_p95_ms, Option<f64>),
    ),
> {
    let members = groups::members().or_raise().into_iter();
    TableIterator::new(members.map(|member| {
        let [p50, p95] = member.latency;
        (RegClass(member.tview), member.group, member.consistent, p50, p95)
    }))
}

/// The rows of the view pg_tview_progress.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_progress() RETURNS TABLE (
    pid int, datid oid, tview_oid oid, entity_name text, operation text, phase text, keys_total bigint, keys_done bigint,
    rows_total bigint, rows_read bigint, rows_written bigint, total_is_estimate boolean, started_at timestamptz,
    estimated_remaining interval)
    LANGUAGE c VOLATILE STRICT ROWS 10 COST 1000
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_progress() -> TableIterator<
    'static,
    (
        name!(pid, Option<i32>),
        name!(datid, pg_sys::Oid),
        name!(tview_oid, pg_sys::Oid),
        name!(entity_name, String),
        name!(operation, String),
        name!(phase, String),
        name!(keys_total, Option<i64>),
        name!(keys_done, Option<i64>),
        name!(rows_total, Option<i64>),
        name!(rows_read, Option<i64>),
        name!(rows_written, i64),
        name!(total_is_estimate, Option<bool>),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(estimated_remaining, Option<Interval>),
    ),
> {
    TableIterator::new(progress::progress().into_iter().map(|row| {
        let (keys_total, keys_done) = row.keys.unzip();
        let (rows_total, rows_read) = row.rows.unzip();
        (
            row.pid,
            row.database,
            row.tview,
            row.entity_name,
            row.operation.to_string(),
            row.phase.to_string(),
            keys_total,
            keys_done,
            rows_total,
            rows_read,
            row.rows_written,
            row.total_is_estimate,
            row.started_at,
            row.remaining,
        )
    }))
}
