//! Waiting until a transaction that is seen as committed has announced its changes of the catalogs.

use pgrx::pg_sys;

/// Waits until a transaction has sent its invalidations: it is seen as committed shortly before. It holds the lock on
/// its identifier until afterwards.
pub fn await_invalidations_of(xid: pg_sys::TransactionId) {
    if xid < pg_sys::FirstNormalTransactionId {
        return;
    }
    // SAFETY: inside a transaction. Without a relation, it waits for the lock only.
    unsafe {
        pg_sys::XactLockTableWait(
            xid,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::XLTW_Oper::XLTW_None,
        )
    }
}
