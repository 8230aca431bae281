//! A cancel ends code of users that we run, also where the code catches it: a loop around a handler for `query_canceled` would keep a
//! worker, or a session that shows its changes, for ever. Such a handler needs a subtransaction. When one is rolled back after a
//! cancel, the next cancel is pending already, and is met outside of it. It reports the cause of the first.

use std::cell::{Cell, RefCell};
use std::ffi::{c_void, CStr, CString};

use pgrx::{pg_guard, pg_sys};

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
    /// The message of that cancel.
    static CAUSE: RefCell<Option<CString>> = const { RefCell::new(None) };
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
    CAUSE.take();
}

/// While a message is reported. Making a copy of the message can raise where memory is short.
#[pg_guard]
unsafe extern "C-unwind" fn note_cancel(_argument: *mut c_void) {
    // SAFETY: called while a message is reported.
    if unsafe { pg_sys::geterrcode() } != pgrx::PgSqlErrorCode::ERRCODE_QUERY_CANCELED as i32 {
        return;
    }
    if !CANCELED.replace(true) {
        // SAFETY: as above.
        CAUSE.set(unsafe { message() });
    }
    CAUSE.with_borrow(|cause| {
        if let Some(cause) = cause {
            // SAFETY: as above; PostgreSQL copies the text.
            unsafe { pg_sys::errmsg_internal(c"%s".as_ptr(), cause.as_ptr()) };
        }
    });
}

/// The message that is being reported.
///
/// # Safety
/// A message is being reported.
unsafe fn message() -> Option<CString> {
    // SAFETY: as the caller promises; the copy must not be made in the context of messages, and is freed.
    unsafe {
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let copy = pg_sys::CopyErrorData();
        let text = (*copy).message;
        let message = (!text.is_null()).then(|| CStr::from_ptr(text).to_owned());
        pg_sys::FreeErrorData(copy);
        pg_sys::MemoryContextSwitchTo(context);
        message
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
