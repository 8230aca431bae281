//! What tells this cluster from others.

use pgrx::pg_sys;

/// The system identifier, which a cluster and its physical copies share.
pub fn system_identifier() -> u64 {
    // SAFETY: reads a field of the control file in shared memory that never changes.
    unsafe { pg_sys::GetSystemIdentifier() }
}

/// The timeline that the server writes. Not during recovery.
pub fn timeline() -> u32 {
    // SAFETY: reads shared state that does not change after recovery.
    unsafe { pg_sys::GetWALInsertionTimeLine() }
}
