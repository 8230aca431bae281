//! Unlogged tables are empty after a crash, for which no trigger fires.

use pgrx::pg_sys::Oid;

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::{capture, statement};

/// Requests a comparison of all rows for unlogged sources and unlogged tv tables. Called when a database is
/// first served after the start of the server.
pub fn server_started() {
    let found: Vec<(Oid, bool)> = run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("unlogged"), Access::Snapshot, &[]);
            (0..rows.len())
                .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
                .collect()
        })
    });
    for (table, is_tview) in found {
        if is_tview {
            capture::request_refresh(table, None);
        } else {
            capture::mark_all_rows(table);
        }
    }
}
