//! Records a failed refresh in the audit table, and suspends the TVIEW if its view fails.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;

use crate::catalog::definition;
use crate::catalog::state::{change_state, State};
use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::refresh::audit::{self, Entry};

/// Records a failed refresh, after its rollback, in a transaction of its own.
pub fn record(driver: Driver, tview: Oid, started_at: TimestampWithTimeZone, error: &Caught) {
    write(driver, tview, started_at, error, false);
}

/// Records that the view fails, and suspends the TVIEW until the view works again. Once: a TVIEW that is
/// suspended already stays as it is.
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
