//! A limit on the time a piece of work takes. A background worker has no statement loop that arms statement_timeout, but
//! its timer and the handler of the signal it sends are those of any session.

use std::time::Duration;

use pgrx::pg_sys;

/// `STATEMENT_TIMEOUT` of utils/timeout.h.
const STATEMENT_TIMEOUT: u32 = 3;

extern "C-unwind" {
    fn enable_timeout_after(id: u32, milliseconds: i32);
    fn disable_timeout(id: u32, keep_indicator: bool);
}

struct Armed;

impl Drop for Armed {
    fn drop(&mut self) {
        // SAFETY: the timer was armed by us; after an ERROR its signal, if it came as well, must not hit what follows.
        unsafe {
            let failed = std::thread::panicking();
            disable_timeout(STATEMENT_TIMEOUT, !failed);
            if failed {
                pg_sys::QueryCancelPending = 0;
            }
        }
    }
}

/// Runs `work`, which ends with an ERROR (57014) when it takes longer than `limit`; zero: no limit. Not nested, and only in
/// background workers connected to a database: a session has this timer in use.
pub fn limited<R>(limit: Duration, work: impl FnOnce() -> R) -> R {
    if limit.is_zero() {
        return work();
    }
    let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the timer was registered when the worker connected, and is not armed.
    unsafe { enable_timeout_after(STATEMENT_TIMEOUT, milliseconds) };
    let armed = Armed;
    let result = work();
    drop(armed);
    // If it went off in the last moment, that is raised here and not in what follows.
    pgrx::check_for_interrupts!();
    result
}
