//! Whether a table holds rows, found by a scan without a query. For a query the planner evaluates expressions
//! of the indexes, constraints and statistics of the table. They are code of users, which must not run with
//! the rights of internal work.

use pgrx::pg_sys::{self, Oid};

/// Whether an ordinary table itself has rows that the active snapshot shows. None if the table is gone.
pub fn holds_rows(table: Oid) -> Option<bool> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: an open table, a slot of its row type, and an active snapshot, as there is wherever statements
    // run. After an ERROR the transaction releases what is held. The lock is kept to its end, as by a query.
    unsafe {
        let table = pg_sys::try_relation_open(table, lock);
        if table.is_null() {
            return None;
        }
        let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
        let scan = pg_sys::table_beginscan(table, pg_sys::GetActiveSnapshot(), 0, std::ptr::null_mut());
        let found = pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot);
        pg_sys::table_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::relation_close(table, pg_sys::NoLock as pg_sys::LOCKMODE);
        Some(found)
    }
}
