//! A cancel ends code of users that we run, also where the code catches it: a loop around a handler for `query_canceled` would keep a
//! worker, or a session that shows its changes, for ever. Such a handler needs a subtransaction. When one is rolled back after a
//! cancel, the next cancel is pending already, and is met outside of it.

use std::cell::Cell;
use std::ffi::c_void;

use pgrx::pg_sys;

use super::transaction_events::{Handlers, SubtransactionEvent};

/// What this wants to know of transactions.
pub const HANDLERS: Handlers = Handlers {
    transaction: |_| {},
    subtransaction: on_subtransaction,
};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// A cancel was raised since the outermost began.
    static CANCELED: Cell<bool> = const { Cell::new(false) };
}

/// Until it is dropped a cancel ends all.
pub struct Insist(Box<pg_sys::ErrorContextCallback>);

impl Insist {
    pub fn begin() -> Insist {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            forget();
        }
        // SAFETY: the callback stays where it is until it is taken off the stack.
        unsafe {
            let mut callback = Box::new(pg_sys::ErrorContextCallback {
                previous: pg_sys::error_context_stack,
                callback: Some(note_cancel),
                arg: std::ptr::null_mut(),
            });
            pg_sys::error_context_stack = &raw mut *callback;
            Insist(callback)
        }
    }
}

impl Drop for Insist {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // SAFETY: what was there before, which outlives this.
        unsafe { pg_sys::error_context_stack = self.0.previous }
    }
}

/// The cancel was one of ours, and has ended what it was to end.
pub fn forget() {
    CANCELED.set(false);
}

/// While a message is reported.
unsafe extern "C-unwind" fn note_cancel(_argument: *mut c_void) {
    // SAFETY: called while a message is reported.
    if unsafe { pg_sys::geterrcode() } == pgrx::PgSqlErrorCode::ERRCODE_QUERY_CANCELED as i32 {
        CANCELED.set(true);
    }
}

fn on_subtransaction(event: SubtransactionEvent) {
    if DEPTH.get() > 0 && CANCELED.get() && matches!(event, SubtransactionEvent::Aborted { .. }) {
        // SAFETY: what the handler of the signal does.
        unsafe {
            pg_sys::QueryCancelPending = 1;
            pg_sys::InterruptPending = 1;
        }
    }
}
