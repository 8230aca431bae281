//! The rows of the queue for a SERIALIZABLE transaction that only asks what is pending. The rows are those
//! that a query returns. PostgreSQL records what a query has read, and counts commits of other transactions
//! that write there as conflicts. It records nothing for a scan of all row versions; this file picks those
//! that the snapshot sees.

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum};

use super::extension;

/// Declares to PostgreSQL how to call [`pg_tviews_queued`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_queued() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Returns the rows of pg_tview_queue; see `sql/install/relations.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_queued(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the function manager passes a valid call, for a set in materialize mode; the table stays
    // locked to the end of the transaction.
    unsafe {
        pg_sys::InitMaterializedSRF(fcinfo, 0);
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if let Some(queue) = extension::relation(c"pg_tview_queue") {
            let queue = pg_sys::table_open(queue, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            put_visible((*result).setResult, queue);
            pg_sys::table_close(queue, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
        Datum::from(0)
    }
}

/// # Safety
/// An open table, a store of its row type, and an active snapshot. After an ERROR the transaction releases
/// what is held.
unsafe fn put_visible(store: *mut pg_sys::Tuplestorestate, table: pg_sys::Relation) {
    // SAFETY: as the caller promises; the slot is of the row type of the table.
    unsafe {
        let slot = pg_sys::table_slot_create(table, std::ptr::null_mut());
        let versions = &raw mut pg_sys::SnapshotAnyData;
        let scan = pg_sys::table_beginscan(table, versions, 0, std::ptr::null_mut());
        while pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
            pgrx::check_for_interrupts!();
            if pg_sys::table_tuple_satisfies_snapshot(table, slot, pg_sys::GetActiveSnapshot()) {
                pg_sys::tuplestore_puttupleslot(store, slot);
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
    }
}
