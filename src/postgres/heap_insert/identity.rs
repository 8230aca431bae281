//! Values of identity columns, which defaults give to rows that SQL inserts.

use std::ffi::CStr;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, AttrNumber, Oid};

use crate::postgres::own_column;
use crate::postgres::versions::identity_sequence;

/// The next value for the identity column of a table. None: there is no such table any more. Raises an ERROR
/// if the table has no such column.
pub fn next_value(table: Oid, column: &CStr) -> Option<i64> {
    extern "C-unwind" {
        fn nextval_internal(sequence: Oid, check_permissions: bool) -> i64;
    }
    // SAFETY: the table is open and locked until it is closed, or the transaction ends after an error. What is
    // guarded owns nothing.
    unsafe {
        let relation = pg_sys::try_table_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        if relation.is_null() {
            return None;
        }
        let number = own_column::index(relation, column, 0) + 1;
        let sequence = identity_sequence::of(relation, number as AttrNumber);
        let value = pg_guard_ffi_boundary(|| nextval_internal(sequence, false));
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        Some(value)
    }
}
