//! The lock that a transaction holds on its own id. PostgreSQL 18 can log that the lock was not to be had.

use pgrx::pg_sys;

/// Whether the transaction of this id has released its lock; does not wait, and logs nothing.
pub fn is_released(xid: u32) -> bool {
    let xid = pg_sys::TransactionId::from(xid);
    // SAFETY: an ordinary lock request without waiting, given back at once.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return pg_sys::ConditionalXactLockTableWait(xid);
        #[cfg(feature = "pg18")]
        return pg_sys::ConditionalXactLockTableWait(xid, false);
    }
}
