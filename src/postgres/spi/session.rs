//! Connections to SPI, which statements run in.

use pgrx::pg_sys;

use super::execute::Access;
use super::statement::run_as_it_is;
use crate::postgres::run_as;

/// Runs `body` with an SPI connection; results obtained inside are freed when it ends. Statements have the
/// same meaning in every session: unqualified names are those of pg_catalog.
pub fn session<R>(body: impl FnOnce() -> R) -> R {
    run_as::pinned(|| connected(body))
}

/// Runs a statement of which the user has written a part, under the search_path and the settings of the
/// session.
pub fn run_for_user(sql: &str) {
    connected(|| run_as_it_is(sql, Access::Current, &[]));
}

fn connected<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: connect and finish are balanced; an ERROR in between aborts the (sub)transaction, which pops
    // the connection itself.
    unsafe {
        pg_sys::SPI_connect();
        let result = body();
        pg_sys::SPI_finish();
        result
    }
}
