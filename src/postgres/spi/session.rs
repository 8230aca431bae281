//! Connections to SPI, which statements run in.

use pgrx::pg_sys::{self, Oid};

use super::execute::Access;
use super::statement::run_as_it_is;
use super::value::Value;
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

/// The only value that a statement returns, which depends on the search_path of the session.
pub fn text_for_user(sql: &str, args: &[(Oid, Value)]) -> Option<String> {
    connected(|| run_as_it_is(sql, Access::Snapshot, args).one::<String>())
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
