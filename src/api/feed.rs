//! Functions of consumers of the change feed.

use pgrx::prelude::*;
use pgrx::Array;

use crate::define::arguments::tview_name;
use crate::error::{OrRaise, Problem};
use crate::postgres::sql_types::{texts, Document};
use crate::postgres::transaction::refuse_read_only;
use crate::session::feed::{acknowledge, changes, provenance, subscribe, unsubscribe};

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_subscribe(consumer: Option<&str>, names: default!(Option<Array<&str>>, "NULL")) -> String {
    refuse_read_only("pg_tviews_subscribe()");
    let names = names.as_ref().map(texts);
    subscribe::subscribe(consumer, names.as_deref()).or_raise()
}

/// The rows of a call are few: PostgreSQL assumes a thousand.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_changes(consumer text, max_rows int DEFAULT 1000) RETURNS TABLE (
    entity_name text, operation text, key jsonb, origins text[], changed_at timestamptz, token text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_changes(
    consumer: Option<&str>,
    max_rows: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(entity_name, String),
        name!(operation, String),
        name!(key, Option<Document>),
        name!(origins, Option<Vec<Option<String>>>),
        name!(changed_at, TimestampWithTimeZone),
        name!(token, String),
    ),
> {
    let changes = changes::changes(consumer, max_rows).or_raise();
    TableIterator::new(changes.into_iter().map(|change| {
        (
            change.entity_name,
            change.operation,
            change.key.map(Document),
            change.origins,
            change.changed_at,
            change.token,
        )
    }))
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_ack(consumer: Option<&str>, token: Option<&str>) {
    refuse_read_only("pg_tviews_ack()");
    acknowledge::acknowledge(consumer, token).or_raise();
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_unsubscribe(consumer: Option<&str>) {
    refuse_read_only("pg_tviews_unsubscribe()");
    unsubscribe::unsubscribe(consumer).or_raise();
}

/// The rows of a call are few.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_provenance(name text, key text) RETURNS TABLE (
    changed_at timestamptz, operation text, audit_id bigint, origins text[], changes_read bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
#[allow(clippy::type_complexity)] // The columns of the result are spelt out where the function is declared.
fn pg_tviews_provenance(
    name: Option<&str>,
    key: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(changed_at, TimestampWithTimeZone),
        name!(operation, String),
        name!(audit_id, Option<i64>),
        name!(origins, Option<Vec<Option<String>>>),
        name!(changes_read, Option<i64>),
    ),
> {
    let key = key.ok_or_else(no_key).or_raise();
    let changes = provenance::provenance(tview_name(name).or_raise(), key).or_raise();
    TableIterator::new(changes.into_iter().map(|change| {
        (
            change.changed_at,
            change.operation,
            change.audit_id,
            change.origins,
            change.changes_read,
        )
    }))
}

fn no_key() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "the key must not be NULL",
    )
    .hint("Name the key: SELECT * FROM pg_tviews_provenance('post', '42');")
}
