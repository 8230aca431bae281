//! Kinds of failure, and what is written down of them.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::definition::{self, State};
use crate::catalog::state::change_state;
use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::refresh::audit::{self, Entry};

/// Classes of SQLSTATE that are about the server, not about the view and its data: connections, rollbacks, resources,
/// an administrator, the system, PostgreSQL itself.
const OF_THE_SERVER: [&str; 7] = ["08", "25", "40", "53", "57", "58", "XX"];

/// Classes that are about what the view names and may read, not about data: features, schemas, syntax and access rules.
const OF_THE_VIEW: [&str; 3] = ["0A", "3F", "42"];

/// Others were at the same rows or tables: nothing is wrong, it is simply done again.
pub fn is_in_the_way(error: &Caught) -> bool {
    matches!(
        error.code,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
            | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    )
}

/// Waiting may help.
pub fn is_passing(error: &Caught) -> bool {
    OF_THE_SERVER.contains(&&error.sqlstate()[..2])
}

/// A key that fails so fails for what the view is, if no other key works either.
pub fn is_of_the_view(error: &Caught) -> bool {
    OF_THE_VIEW.contains(&&error.sqlstate()[..2])
}

/// Less at a time may do.
pub fn needs_less(error: &Caught) -> bool {
    error.code == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
}

/// A name that is not found is that of a function which counts on the search_path of its caller: the view's own are bound.
pub fn advise(mut error: Caught) -> Caught {
    let not_found = [
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
    ];
    if not_found.contains(&error.code) && error.hint.as_deref().is_none_or(|hint| hint.starts_with("No ")) {
        error.hint = Some(
            "Refreshes run with the search_path pg_catalog, pg_temp. Run ALTER FUNCTION ... SET search_path = ... for the function that uses the name, or write its schema in the function."
                .to_string(),
        );
    }
    error
}

/// Whoever asked for a drain does not want it any more: that says nothing about the TVIEW.
pub fn is_unwanted(driver: Driver, error: &Caught) -> bool {
    driver == Driver::Procedure && error.is_cancel()
}

/// Writes down a failure, after the rollback, in a transaction of its own.
pub fn record(driver: Driver, tview: Oid, started_at: TimestampWithTimeZone, error: &Caught) {
    write(driver, tview, started_at, error, false);
}

/// The view fails: the TVIEW waits until it works again. Said once.
pub fn suspend(driver: Driver, tview: Oid, started_at: TimestampWithTimeZone, error: &Caught) {
    write(driver, tview, started_at, error, true);
}

fn write(driver: Driver, tview: Oid, started_at: TimestampWithTimeZone, error: &Caught, suspend: bool) {
    let written = driver.transaction(|| {
        with_snapshot(|| {
            let Some(definition) = run_internal(|| definition::load(tview)) else {
                return;
            };
            let mut operation = "refresh";
            if suspend {
                if !definition.state.refreshes() {
                    return;
                }
                operation = "suspend";
                change_state(tview, State::Suspended);
            }
            let mut entry = Entry::new(&definition.entity_name, tview, operation, started_at);
            entry.status = audit::Status::Error;
            entry.sqlstate = Some(error.sqlstate());
            entry.message = Some(error.message.clone());
            entry.details = Some(serde_json::json!({ "detail": error.detail, "hint": error.hint }));
            audit::add(entry);
        })
    });
    if let Err(also) = written {
        pgrx::log!(
            "pg_tviews: could not record a failed refresh: {} ({})",
            also.message,
            error.message
        );
    }
}
