//! Writes a row of `pg_tview_meta_audit`.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

use super::Entry;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::{feed, tally};
use crate::statement;
use crate::wake::operations::{self, Phase};

thread_local! {
    static ADD: SessionStatement = const { SessionStatement::new() };
}

/// Adds the row in the current transaction, and what the transaction has written to the change feed.
pub fn add(mut entry: Entry) {
    let changes = entry.changed.take();
    let of_feed =
        (!changes.is_empty()).then(|| (entry.tview, entry.entity_name.clone(), entry.origins.clone()));
    count(&entry);
    let audit = add_row(entry);
    if let Some((tview, entity_name, origins)) = of_feed {
        feed::add(tview, &entity_name, changes, origins, audit);
    }
    operations::phase(Phase::Committing);
}

/// Counts a refresh that moves the position. How late a first population is says nothing.
fn count(entry: &Entry) {
    if entry.position.is_some() && matches!(entry.operation, "refresh" | "populate") {
        let oldest = entry.oldest_change_at.filter(|_| entry.operation == "refresh");
        tally::completed(entry.changes_read, entry.keys_refreshed, oldest.map(i64::from));
    }
}

/// Adds what the transaction has written to the change feed, if the audit row follows in a later one.
pub fn write_feed(entry: &mut Entry) {
    let changes = entry.changed.take();
    feed::add(
        entry.tview,
        &entry.entity_name,
        changes,
        entry.origins.clone(),
        None,
    );
    operations::phase(Phase::Committing);
}

/// Returns the number of the row.
fn add_row(entry: Entry) -> Option<i64> {
    let written = entry.written;
    let args = [
        Value::of(entry.entity_name),
        Value::of(entry.tview),
        Value::of(entry.operation),
        Value::of(entry.status.name()),
        Value::of(entry.changes_read),
        Value::of(entry.keys_refreshed),
        Value::of(written.map(|w| w.inserted)),
        Value::of(written.map(|w| w.updated)),
        Value::of(written.map(|w| w.deleted)),
        Value::of(written.map(|w| w.unchanged)),
        Value::of(entry.oldest_change_at),
        Value::of(entry.started_at),
        Value::of(entry.sqlstate),
        Value::of(entry.message),
        Value::of(entry.position.map(|position| position.to_string())),
        Value::of(details(entry.details, entry.sources)),
        Value::of(entry.origins),
    ];
    use pg_sys::{INT8OID, OIDOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};
    let types = [
        TEXTOID,
        OIDOID,
        TEXTOID,
        TEXTOID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTARRAYOID,
    ];
    run_internal(|| {
        planned_once();
        spi::session(|| {
            ADD.with(|add| add.get(|| statement!("audit_add"), &types))
                .run(Access::Current, &args, 0)
                .one::<i64>()
        })
    })
}

fn details(details: Option<serde_json::Value>, sources: Option<serde_json::Value>) -> Option<String> {
    let Some(sources) = sources else {
        return details.map(|details| details.to_string());
    };
    let mut details = details.unwrap_or_else(|| serde_json::json!({}));
    details["sources"] = sources;
    Some(details.to_string())
}

/// The time by the wall clock.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::clock_timestamp()
}
