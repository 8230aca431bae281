//! Records a failed refresh in the audit table, and suspends the TVIEW if its view fails.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;

use crate::catalog::definition::{self, Definition};
use crate::catalog::state::{change_state, State};
use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::refresh::audit::{self, Entry};

/// Records a failed refresh, after its rollback, in a transaction of its own.
pub fn record(driver: Driver, tview: Oid, started_at: TimestampWithTimeZone, error: &Caught) {
    write(driver, tview, started_at, error, false);
}

/// Records that the view fails, and suspends the TVIEW until the view works again. Of a TVIEW that is suspended
/// already, another reason than the one on record is recorded.
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
                operation = "suspend";
                if definition.state.refreshes() {
                    change_state(tview, State::Suspended);
                } else if !is_another_reason(&definition, error) {
                    return;
                }
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

/// Whether the TVIEW is suspended, for another error.
fn is_another_reason(definition: &Definition, error: &Caught) -> bool {
    let now = format!("{}: {}", error.sqlstate(), error.message);
    definition.state == State::Suspended
        && audit::last_suspension(definition.tview).is_none_or(|suspension| suspension.error != now)
}
