//! Asks a question from time to time while the rows of a statement are counted, and cancels the statement if the
//! answer is yes.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};

use pgrx::pg_sys;

use super::insistent_cancel;
use crate::postgres::process::clock;

/// The time between two questions, in microseconds.
const PAUSE: i64 = 500_000;
/// Nothing is asked.
const NEVER: i64 = i64::MAX;

thread_local! {
    static QUESTION: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}
/// When the question is asked next.
static ASK_AT: AtomicI64 = AtomicI64::new(NEVER);
/// The answer was yes.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Runs `work`. A statement in it whose rows are counted is cancelled once the answer to `question` is yes, see
/// [`has_cancelled`]. The question is asked between two rows, and must not raise.
pub fn watching<R>(question: fn() -> bool, work: impl FnOnce() -> R) -> R {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            ASK_AT.store(NEVER, Relaxed);
            QUESTION.set(None);
        }
    }
    let _end = End;
    CANCELLED.store(false, Relaxed);
    QUESTION.set(Some(question));
    ASK_AT.store(clock::now() + PAUSE, Relaxed);
    work()
}

/// Whether the last [`watching`] has cancelled its statement. That cancel hits nothing that follows.
pub fn has_cancelled() -> bool {
    let cancelled = CANCELLED.swap(false, Relaxed);
    if cancelled {
        // SAFETY: a flag of this process, which was set below.
        unsafe { pg_sys::QueryCancelPending = 0 };
        insistent_cancel::forget();
    }
    cancelled
}

/// Whether rows are to be counted for this.
pub fn is_watching() -> bool {
    ASK_AT.load(Relaxed) != NEVER
}

/// A row was counted. The caller owns nothing, and an ERROR may jump over it.
pub(super) fn on_row() {
    if !is_watching() {
        return;
    }
    let now = clock::now();
    if now < ASK_AT.load(Relaxed) {
        return;
    }
    ASK_AT.store(now.saturating_add(PAUSE), Relaxed);
    // SAFETY: only reads and sets what belongs to this process.
    unsafe { ask() };
}

/// Guarded: a question that cannot even be asked, for want of memory, is an ERROR of the statement.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn ask() {
    if !QUESTION.get().is_some_and(|question| question()) {
        return;
    }
    ASK_AT.store(NEVER, Relaxed);
    CANCELLED.store(true, Relaxed);
    // SAFETY: what the handler of the signal for a cancel does, in this process. PostgreSQL raises the ERROR
    // where it expects one.
    unsafe {
        pg_sys::QueryCancelPending = 1;
        pg_sys::InterruptPending = 1;
    }
}
