//! Unlogged tables are empty after a crash, and no trigger tells.

use pgrx::pg_sys::Oid;

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::{capture, statement};

/// Asks for a comparison of every row where a source or a tv table is unlogged. For the first look at a database after
/// the server has started.
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
        match is_tview {
            true => capture::request_refresh(table, None),
            false => capture::mark_all_rows(table),
        }
    }
}
