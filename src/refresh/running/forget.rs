//! Deletes stored groups: those of a TVIEW, or of TVIEWs that are gone.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Deletes all stored groups of a TVIEW. Inside an SPI session.
pub fn throw_away(tview: Oid) {
    if !extension::is_before_0_3() {
        let args = [(pg_sys::OIDOID, Value::of(tview))];
        run_internal(|| spi::run(&statement!("running_remove"), Access::Current, &args));
    }
}

/// Deletes stored groups of TVIEWs that no longer exist.
pub fn forget_dropped() {
    if extension::relation(c"pg_tview_running").is_some() {
        run_internal(|| spi::session(|| spi::run(&statement!("running_forget"), Access::Current, &[])));
    }
}
