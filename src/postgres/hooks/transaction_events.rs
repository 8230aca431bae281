//! Transaction and subtransaction events as enums. pgrx's own registration is not used: its closures survive
//! PREPARE TRANSACTION.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, SubXactEvent, XactEvent};

/// What is happening to the top-level transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// Last chance to write and to fail, before COMMIT or before PREPARE TRANSACTION.
    BeforeEnd,
    /// Durable and visible: handlers must not allocate, lock or raise.
    Committed,
    /// The transaction goes on without this session.
    Prepared,
    Aborted,
}

/// What is happening to a subtransaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubtransactionEvent {
    /// Last chance to write under the subtransaction's own id.
    BeforeCommit {
        subtransaction: u32,
        parent: u32,
    },
    Committed {
        subtransaction: u32,
        parent: u32,
    },
    Aborted {
        subtransaction: u32,
    },
}

/// What is called at each event.
pub struct Handlers {
    pub transaction: fn(TransactionEvent),
    pub subtransaction: fn(SubtransactionEvent),
}

static HANDLERS: OnceLock<&'static [Handlers]> = OnceLock::new();

/// Calls the handlers in every transaction of this process, in this order, from now on. Once per process.
pub fn register(handlers: &'static [Handlers]) {
    if HANDLERS.set(handlers).is_ok() {
        // SAFETY: both callbacks are static functions that ignore their argument.
        unsafe {
            pg_sys::RegisterXactCallback(Some(on_transaction), std::ptr::null_mut());
            pg_sys::RegisterSubXactCallback(Some(on_subtransaction), std::ptr::null_mut());
        }
    }
}

thread_local! {
    static AT_END: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Calls `callback` when the current transaction has ended, committed or not, even if the session dies in it;
/// its outcome is visible then. The callback must not allocate, lock or raise. One per transaction: a later
/// request replaces the earlier one.
pub fn at_transaction_end(callback: fn()) {
    AT_END.set(Some(callback));
}

/// Id of the current subtransaction; the top level has the lowest.
pub fn current_subtransaction() -> u32 {
    // PostgreSQL's own, as pgrx's declaration would convert errors: this raises none, and is asked for every
    // row.
    extern "C-unwind" {
        fn GetCurrentSubTransactionId() -> pg_sys::SubTransactionId;
    }
    // SAFETY: reads backend-local state; callers are inside a transaction.
    unsafe { GetCurrentSubTransactionId() }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_transaction(event: XactEvent::Type, _argument: *mut c_void) {
    let event = match event {
        XactEvent::XACT_EVENT_PRE_COMMIT | XactEvent::XACT_EVENT_PRE_PREPARE => TransactionEvent::BeforeEnd,
        XactEvent::XACT_EVENT_COMMIT => TransactionEvent::Committed,
        XactEvent::XACT_EVENT_PREPARE => TransactionEvent::Prepared,
        XactEvent::XACT_EVENT_ABORT => TransactionEvent::Aborted,
        // Parallel workers do not write.
        _ => return,
    };
    for handlers in HANDLERS.get().copied().unwrap_or_default() {
        (handlers.transaction)(event);
    }
    if event != TransactionEvent::BeforeEnd {
        if let Some(callback) = AT_END.take() {
            callback();
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_subtransaction(
    event: SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    let event = match event {
        SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => SubtransactionEvent::BeforeCommit {
            subtransaction,
            parent,
        },
        SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => SubtransactionEvent::Committed {
            subtransaction,
            parent,
        },
        SubXactEvent::SUBXACT_EVENT_ABORT_SUB => SubtransactionEvent::Aborted { subtransaction },
        _ => return,
    };
    for handlers in HANDLERS.get().copied().unwrap_or_default() {
        (handlers.subtransaction)(event);
    }
}
