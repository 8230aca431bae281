//! A user's `UPDATE pg_tview_meta`: allowed for `fk_columns` and `max_latency` of one's own TVIEWs.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::create::{by_whom, check_owner};
use super::definition;
use super::register::{self, Fill};
use crate::capture;
use crate::error::{OrRaise, Problem};
use crate::postgres::identity::run_internal;
use crate::postgres::{lock, transaction};
use crate::refresh::audit::{self, Entry};
use crate::refresh::plan;

/// Checks an update of `column` that was just made, and puts it into effect. Raises what is wrong with it.
pub fn apply(tview: Oid, column: &str, max_latency: Option<f64>) {
    check_owner(tview).or_raise();
    max_latency.map_or(Ok(()), check_latency).or_raise();
    if column == "fk_columns" {
        if !transaction::is_read_committed() {
            Problem::new(
                PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
                "fk_columns can be changed at the isolation level READ COMMITTED only",
            )
            .hint("BEGIN ISOLATION LEVEL READ COMMITTED;")
            .raise();
        }
        if let Some(class) = definition::table() {
            lock::object(class, tview);
        }
        let plan =
            run_internal(|| definition::load(tview).map(|definition| plan::prepare(definition).or_raise()));
        if let Some(plan) = plan {
            let mut details = by_whom();
            details["fk_columns"] = plan.definition.fk_columns.clone().into();
            register::register(&plan, Fill::IfSmall, "redefine", details);
        }
    } else if let Some(definition) = run_internal(|| definition::load(tview)) {
        let mut entry = Entry::new(&definition.entity_name, tview, "configure", audit::now());
        let mut details = by_whom();
        details["max_latency_seconds"] = max_latency.into();
        entry.details = Some(details);
        audit::add(entry);
    }
    capture::note_catalog_change();
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
pub fn no_nulls(what: &str, columns: Vec<Option<String>>) -> Result<Vec<String>, Problem> {
    columns.into_iter().collect::<Option<_>>().ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{what} must not contain NULL"),
        )
        .hint("Give names of columns, such as '{fk_user}'.")
    })
}
