//! Why a TVIEW is suspended, as the audit table has it.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// The error for which a TVIEW was last suspended.
pub struct Suspension {
    /// SQLSTATE and message.
    pub error: String,
    pub hint: Option<String>,
}

/// The last suspension of the TVIEW under the present snapshot; `None` if its audit row was trimmed.
pub fn last_suspension(tview: Oid) -> Option<Suspension> {
    let args = [(pg_sys::OIDOID, Value::of(tview))];
    let read = || {
        let rows = spi::run(&statement!("audit_last_suspension"), Access::Snapshot, &args);
        (!rows.is_empty()).then(|| {
            Some(Suspension {
                error: rows.get(0, 0)?,
                hint: rows.get(0, 1),
            })
        })?
    };
    run_internal(|| spi::session(read))
}
