//! A user's `UPDATE pg_tview_meta`: allowed for `fk_columns` and `max_latency` of one's own TVIEWs.

use pgrx::datum::Interval;
use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::patience;
use super::register::{self, Fill};
use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::{by_whom, check_owner};
use crate::catalog::{announce, limits};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, lock};
use crate::postgres::triggers::meta_update::MetaUpdateCall;
use crate::postgres::{quote, relation};
use crate::refresh::audit::{self, Entry};
use crate::refresh::plan;
use crate::statement;

/// What users may change.
const OF_USERS: [&str; 2] = ["fk_columns", "max_latency"];

/// Checks an update of a row and makes it. Only what changes is written: another session may be changing the rest.
pub fn update(row: &MetaUpdateCall) {
    let tview = row.tview().unwrap_or(Oid::INVALID);
    // First of all, and whatever the update changes: nobody gets as far as a lock on another's TVIEW.
    check_owner(tview).or_raise();
    let changed = row.changed();
    if let Some(other) = changed.iter().find(|column| !OF_USERS.contains(&column.as_str())) {
        refuse_column(other);
    }
    let changes = |column: &str| changed.iter().any(|changed| changed == column);
    if changes("fk_columns") {
        change_fk_columns(tview, row.fk_columns());
    }
    if changes("max_latency") {
        change_max_latency(tview, row.max_latency());
    }
}

fn refuse_column(column: &str) -> ! {
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("column \"{column}\" of pg_tview_meta cannot be changed"),
    )
    .hint("Change fk_columns or max_latency; call pg_tviews_create, pg_tviews_pause or pg_tviews_resume for the rest.")
    .raise()
}

/// Raises why a row cannot be deleted.
pub fn refuse_delete(row: &MetaUpdateCall) {
    let tview = row.tview().unwrap_or(Oid::INVALID);
    check_owner(tview).or_raise();
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "rows of pg_tview_meta cannot be deleted",
    )
    .hint(format!(
        "SELECT pg_tviews_drop({}); drops the TVIEW.",
        quote::literal(&relation::display(tview))
    ))
    .raise();
}

fn change_fk_columns(tview: Oid, columns: Option<Vec<Option<String>>>) {
    let columns = columns.ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
            "fk_columns of pg_tview_meta must not be NULL",
        )
        .hint("Set it to '{}' to declare no column.")
    });
    let columns = columns.or_raise();
    let columns: Vec<Option<&str>> = columns.iter().map(Option::as_deref).collect();
    let columns = no_nulls("fk_columns", &columns).or_raise();
    if !transaction::is_read_committed() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "fk_columns can be changed at the isolation level READ COMMITTED only",
        )
        .hint("BEGIN ISOLATION LEVEL READ COMMITTED;")
        .raise();
    }
    let lock = || {
        if let Some(class) = definition::table() {
            lock::object(class, tview);
        }
    };
    patience::patiently(lock, |()| {
        let value = (pg_sys::TEXTARRAYOID, Value::of(columns.clone()));
        let definition = write(tview, &statement!("meta_set_fk_columns"), value);
        let plan = run_internal(|| plan::prepare(definition).or_raise());
        let mut details = by_whom();
        details["fk_columns"] = plan.definition.fk_columns.clone().into();
        register::register(&plan, Fill::IfSmall, "redefine", details);
    });
    announce::catalog_change();
}

fn change_max_latency(tview: Oid, bound: Option<Interval>) {
    let seconds = bound.as_ref().map(seconds);
    seconds.map_or(Ok(()), check_latency).or_raise();
    let value = (pg_sys::INTERVALOID, Value::of(bound));
    let definition = write(tview, &statement!("meta_set_max_latency"), value);
    let mut entry = Entry::new(&definition.entity_name, tview, "configure", audit::now());
    let mut details = by_whom();
    details["max_latency_seconds"] = seconds.into();
    entry.details = Some(details);
    audit::add(entry);
    announce::catalog_change();
}

/// Writes one column; returns the definition as it is now.
fn write(tview: Oid, statement: &str, value: (Oid, Value)) -> Definition {
    run_internal(|| {
        spi::session(|| {
            spi::run(
                statement,
                Access::Current,
                &[(pg_sys::OIDOID, Value::of(tview)), value],
            )
        });
        definition::load(tview)
    })
    .ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            "the TVIEW was dropped meanwhile",
        )
    })
    .or_raise()
}

/// Months count as 30 days, days as 24 hours.
pub fn seconds(interval: &Interval) -> f64 {
    interval.as_micros() as f64 / 1_000_000.0
}

/// A bound must be within the range of the setting `pg_tviews.max_latency`.
pub fn check_latency(seconds: f64) -> Result<(), Problem> {
    let problem = if seconds <= 0.0 {
        "max_latency must be greater than zero"
    } else if seconds > f64::from(i32::MAX) / 1000.0 {
        "max_latency must not be greater than 24 days"
    } else {
        return Ok(());
    };
    Err(
        Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, problem)
            .detail(format!("It is {seconds} seconds."))
            .hint("Give an interval such as '250 ms', or NULL for the setting pg_tviews.max_latency."),
    )
}

/// A list of column names as given.
pub fn no_nulls(what: &str, columns: &[Option<&str>]) -> Result<Vec<String>, Problem> {
    limits::check_columns(what, columns.len())?;
    let columns = columns.iter().map(|column| column.map(str::to_string));
    columns.collect::<Option<_>>().ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{what} must not contain NULL"),
        )
        .hint("Give names of columns, such as '{fk_user}'.")
    })
}
