//! Classes of failures: by SQLSTATE, what an error says about the key, the view or the server.

use pgrx::PgSqlErrorCode;

use crate::error::{Caught, Problem};
use crate::postgres::transaction::Driver;

/// Classes of SQLSTATE that are about the server, not about the view and its data: connections, rollbacks,
/// resources, actions of an administrator, the operating system, PostgreSQL itself.
const OF_THE_SERVER: [&str; 7] = ["08", "25", "40", "53", "57", "58", "XX"];

/// Classes of SQLSTATE that are about what the view names and may read, not about data: features, schemas,
/// syntax and access rules.
const OF_THE_VIEW: [&str; 3] = ["0A", "3F", "42"];

/// Another session used the same rows or tables: the refresh is tried again.
pub fn is_in_the_way(error: &Caught) -> bool {
    matches!(
        error.code,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
            | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    )
}

/// Another transaction has written the same rows, and does not hold them for long.
pub fn is_overtaken(error: &Caught) -> bool {
    is_in_the_way(error) && error.code != PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
}

/// A server error: the refresh may succeed later.
pub fn is_of_the_server(error: &Caught) -> bool {
    OF_THE_SERVER.contains(&&error.sqlstate()[..2])
}

/// The view fails, not its data, if no other key can be recomputed either.
pub fn is_of_the_view(error: &Caught) -> bool {
    OF_THE_VIEW.contains(&&error.sqlstate()[..2])
}

/// Fewer keys in one batch may succeed.
pub fn is_out_of_memory(error: &Caught) -> bool {
    error.code == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
}

/// The rows may be written in parts, though not all by one statement: it needs too much memory, or the order
/// in which it writes violates a constraint on the way.
pub fn may_succeed_in_parts(error: &Caught) -> bool {
    matches!(
        error.code,
        PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
            | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
            | PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
    )
}

/// Whether some rows stay as they are: the view returns their keys more than once.
pub fn keeps_old_rows(problem: &Problem) -> bool {
    problem.code == PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION
}

/// The session that called pg_tviews_drain has cancelled it, which says nothing about the TVIEW.
pub fn is_cancelled_drain(driver: Driver, error: &Caught) -> bool {
    driver == Driver::Procedure && error.is_cancel()
}
