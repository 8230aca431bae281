//! A background audit: workers compare every TVIEW with its view, slice by slice, while nothing is due.
//!
//! ```text
//! one snapshot: rows of a slice in view and table -> the rows that differ are suspects
//! a later one:  suspects, without keys that are pending or dead -> computed key by key, as a refresh does
//!               still different -> drift: an audit row, a WARNING, and a request to refresh these keys
//! a later one:  once more; what differs again after two refreshes depends on something that no change shows
//! ```
//!
//! Table, position and queue are read in one snapshot. Every row that differs there must have a change, visible in
//! the snapshot, that the position does not cover: a refresh would rely on that, too. So no lock of the TVIEW is
//! needed, and a row without such a change is a fault and not lag.

mod excerpt;
mod pending;
mod portion;
mod report;
mod slice;
mod suspects;
mod walk;

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};

use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::{settings, statement};

pub use slice::slice;
pub use walk::forget_dropped;

/// How long a slice may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Slices get so many keys that they take that long.
    pub target: Duration,
    /// A slice that takes longer is cancelled.
    pub longest: Duration,
}

/// The TVIEW that is to be verified next.
pub struct Next {
    pub tview: Oid,
    /// With its schema, quoted.
    pub name: String,
    /// In so many microseconds.
    pub wait: i64,
}

/// The TVIEW that is to be verified next; None: there is none. Inside a transaction with a snapshot.
pub fn next() -> Option<Next> {
    // Also where the extension does not exist.
    extension::relation(c"pg_tview_verification")?;
    run_internal(|| {
        spi::session(|| {
            let cycle = settings::verify_cycle()?.as_secs_f64();
            let args = [(pg_sys::FLOAT8OID, Value::of(cycle))];
            let rows = spi::run(&statement!("verification_next"), Access::Snapshot, &args);
            if rows.is_empty() {
                return None;
            }
            Some(Next {
                tview: rows.get(0, 0)?,
                name: rows.get(0, 1)?,
                wait: rows.get(0, 2)?,
            })
        })
    })
}
