//! A user's `UPDATE pg_tview_meta`: allowed for `fk_columns`, `max_latency`, `feed`, `refresh_group` and `throttle_lag` of one's
//! own TVIEWs.

use pgrx::datum::Interval;
use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::arguments::{check_max_latency, check_throttle_lag, column_names, seconds};
use super::fill::Fill;
use super::{definition_row, feed, patience, refresh_group, register};
use crate::catalog::announce;
use crate::catalog::owner::{by_whom, check_owner};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::Value;
use crate::postgres::transaction;
use crate::postgres::triggers::meta_update::MetaUpdateCall;
use crate::postgres::{quote, relation};
use crate::refresh::audit::{self, Entry};
use crate::refresh::plan;
use crate::statement;

/// Columns that users may change.
const CHANGEABLE: [&str; 5] = [
    "fk_columns",
    "max_latency",
    "feed",
    "throttle_lag",
    "refresh_group",
];

/// Checks and performs an update of a row. Only columns that change are written: another session may be
/// changing the rest.
pub fn update(row: &MetaUpdateCall) {
    let tview = row.tview().unwrap_or(Oid::INVALID);
    // First of all, whatever the update changes: only the owner may lock the TVIEW.
    check_owner(tview).or_raise();
    let changed = row.changed();
    if let Some(other) = changed
        .iter()
        .find(|column| !CHANGEABLE.contains(&column.as_str()))
    {
        refuse_column(other);
    }
    let changes = |column: &str| changed.iter().any(|changed| changed == column);
    if changes("fk_columns") {
        change_fk_columns(tview, row.fk_columns());
    }
    if changes("max_latency") {
        change_max_latency(tview, row.max_latency());
    }
    if changes("throttle_lag") {
        change_throttle_lag(tview, row.throttle_lag());
    }
    if changes("feed") {
        feed::change(tview, row.feed());
    }
    if changes("refresh_group") {
        refresh_group::change(tview, row.refresh_group());
    }
}

fn refuse_column(column: &str) -> ! {
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("column \"{column}\" of pg_tview_meta cannot be changed"),
    )
    .hint("Change fk_columns, max_latency, feed, refresh_group or throttle_lag; call pg_tviews_create, pg_tviews_pause or pg_tviews_resume for the rest.")
    .raise()
}

/// Raises the error that a row cannot be deleted.
pub fn refuse_delete(row: &MetaUpdateCall) {
    let tview = row.tview().unwrap_or(Oid::INVALID);
    check_owner(tview).or_raise();
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "rows of pg_tview_meta cannot be deleted",
    )
    .hint(format!(
        "Run SELECT pg_tviews_drop({}); to drop the TVIEW.",
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
    let columns = column_names("fk_columns", &columns).or_raise();
    check_isolation().or_raise();
    patience::patiently(
        || definition_row::lock(tview),
        |()| {
            let value = (pg_sys::TEXTARRAYOID, Value::of(columns.clone()));
            let definition = definition_row::write_column(tview, &statement!("meta_set_fk_columns"), value);
            let plan = run_internal(|| plan::prepare(definition).or_raise());
            let mut details = by_whom();
            details["fk_columns"] = plan.definition.fk_columns.clone().into();
            register::register(&plan, Fill::IfSmall, "redefine", details);
        },
    );
    announce::catalog_change();
}

fn check_isolation() -> Result<(), Problem> {
    if transaction::is_read_committed() {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "fk_columns can be changed at the isolation level READ COMMITTED only",
    )
    .hint("Run BEGIN ISOLATION LEVEL READ COMMITTED; before the UPDATE."))
}

fn change_max_latency(tview: Oid, bound: Option<Interval>) {
    let seconds = bound.as_ref().map(seconds);
    seconds.map_or(Ok(()), check_max_latency).or_raise();
    let statement = statement!("meta_set_max_latency");
    change_interval(tview, &statement, bound, ("max_latency_seconds", seconds));
}

fn change_throttle_lag(tview: Oid, lag: Option<Interval>) {
    let seconds = lag.as_ref().map(seconds);
    seconds.map_or(Ok(()), check_throttle_lag).or_raise();
    let statement = statement!("meta_set_throttle_lag");
    change_interval(tview, &statement, lag, ("throttle_lag_seconds", seconds));
}

/// Writes a column. `detail`: what the audit row says of it.
fn change_interval(tview: Oid, statement: &str, value: Option<Interval>, detail: (&str, Option<f64>)) {
    let value = (pg_sys::INTERVALOID, Value::of(value));
    let definition = definition_row::write_column(tview, statement, value);
    let mut entry = Entry::new(&definition.entity_name, tview, "configure", audit::now());
    let mut details = by_whom();
    details[detail.0] = detail.1.into();
    entry.details = Some(details);
    audit::add(entry);
    announce::catalog_change();
}
