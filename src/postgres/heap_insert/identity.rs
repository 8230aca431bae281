//! Values of identity columns, which defaults give to rows that SQL inserts.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, AttrNumber, Oid};

use crate::postgres::own_column;
use crate::postgres::versions::identity_sequence;

thread_local! {
    /// A table, and the sequence of its identity column: to find that takes longer than to insert a row.
    static FOUND: Cell<(Oid, Oid)> = const { Cell::new((Oid::INVALID, Oid::INVALID)) };
}

/// The next value for the only identity column of a table. None: there is no such table any more. Raises an
/// ERROR if the table has no such column.
pub fn next_value(table: Oid, column: &CStr) -> Option<i64> {
    extern "C-unwind" {
        fn nextval_internal(sequence: Oid, check_permissions: bool) -> i64;
    }
    let sequence = match FOUND.get() {
        (known, sequence) if known == table => sequence,
        _ => {
            let sequence = sequence_of(table, column)?;
            FOUND.set((table, sequence));
            sequence
        }
    };
    // SAFETY: raises an ERROR if there is no such sequence any more. What is guarded owns nothing.
    Some(unsafe { pg_guard_ffi_boundary(|| nextval_internal(sequence, false)) })
}

fn sequence_of(table: Oid, column: &CStr) -> Option<Oid> {
    // SAFETY: the table is open and locked until it is closed, or the transaction ends after an error.
    unsafe {
        let relation = pg_sys::try_table_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        if relation.is_null() {
            return None;
        }
        let number = own_column::index(relation, column, 0) + 1;
        let sequence = identity_sequence::of(relation, number as AttrNumber);
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        Some(sequence)
    }
}
