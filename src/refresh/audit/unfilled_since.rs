//! Since when all rows of a TVIEW are to be brought in line with its view.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// When the TVIEW was created or redefined last, or had its first change that was given up. Inside an SPI
/// session.
pub fn unfilled_since(tview: Oid) -> Option<TimestampWithTimeZone> {
    let args = [(pg_sys::OIDOID, Value::of(tview))];
    run_internal(|| spi::run(&statement!("audit_unfilled_since"), Access::Snapshot, &args)).one()
}
