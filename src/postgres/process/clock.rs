//! Wall clock in microseconds, as PostgreSQL counts them (since 2000-01-01).

use pgrx::pg_sys;

/// The current time.
pub fn now() -> i64 {
    // SAFETY: reads the system clock and touches nothing else.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// When the transaction that is just ending ended: free inside a commit callback, which has that time
/// already.
pub fn transaction_end() -> i64 {
    // SAFETY: returns a static of this process, or the system clock if it is unset.
    unsafe { pg_sys::GetCurrentTransactionStopTimestamp() }
}
