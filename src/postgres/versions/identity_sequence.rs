//! The sequence of an identity column. From PostgreSQL 17 on, the function takes the open table.

use pgrx::pg_sys::{self, AttrNumber, Oid, Relation};

/// The sequence of the column with this number. Raises an ERROR if the column has none.
///
/// # Safety
/// An open table.
pub unsafe fn of(table: Relation, column: AttrNumber) -> Oid {
    // SAFETY: the table is open, and the dependencies of the column are only read.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        return pg_sys::getIdentitySequence((*table).rd_id, column, false);
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        return pg_sys::getIdentitySequence(table, column, false);
    }
}
