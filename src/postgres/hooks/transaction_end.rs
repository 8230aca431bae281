//! One callback at the end of the current transaction, committed or not, even if the session dies in it.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;

static REGISTERED: AtomicBool = AtomicBool::new(false);
static mut CALLBACK: Option<fn()> = None;

/// Calls `callback` when the current transaction has ended and its outcome is visible. It must not allocate, lock or
/// raise. One per transaction: a later request replaces the earlier one.
pub fn at_transaction_end(callback: fn()) {
    // SAFETY: the variable belongs to this single-threaded process; the registration lasts for its life.
    unsafe {
        CALLBACK = Some(callback);
        if !REGISTERED.swap(true, Ordering::Relaxed) {
            pg_sys::RegisterXactCallback(Some(transaction_event), std::ptr::null_mut());
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn transaction_event(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        // SAFETY: as in `at_transaction_end`.
        let callback = unsafe { CALLBACK };
        if let Some(callback) = callback {
            // SAFETY: as above.
            unsafe { CALLBACK = None };
            callback();
        }
    }
}
