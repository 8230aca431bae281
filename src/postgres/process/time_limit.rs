//! A limit on the time a piece of work takes. A background worker has no statement loop that arms
//! statement_timeout, but its timer and the handler of the signal it sends are those of any session.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use pgrx::{pg_sys, PgSqlErrorCode, PgTryBuilder};

use crate::error::{Caught, Problem};
use crate::postgres::hooks::insistent_cancel;
use crate::postgres::process::clock;
use crate::postgres::transaction;

/// `STATEMENT_TIMEOUT` of utils/timeout.h.
const STATEMENT_TIMEOUT: u32 = 3;

/// `TRANSACTION_TIMEOUT` of utils/timeout.h, where there is one.
const TRANSACTION_TIMEOUT: Option<u32> = if cfg!(any(feature = "pg15", feature = "pg16")) {
    None
} else {
    Some(8)
};

/// `USER_TIMEOUT` of utils/timeout.h: PostgreSQL gives the next free number from here on.
const USER_TIMEOUT: u32 = if cfg!(any(feature = "pg15", feature = "pg16")) {
    12
} else {
    13
};

extern "C-unwind" {
    fn RegisterTimeout(id: u32, handler: extern "C-unwind" fn()) -> u32;
    fn enable_timeout_after(id: u32, milliseconds: i32);
    fn disable_timeout(id: u32, keep_indicator: bool);
    fn get_timeout_active(id: u32) -> bool;
    fn get_timeout_finish_time(id: u32) -> i64;
}

/// How long it is until a timeout of the session ends its statement or transaction; None: none will.
pub fn left() -> Option<Duration> {
    let timers = [Some(STATEMENT_TIMEOUT), TRANSACTION_TIMEOUT]
        .into_iter()
        .flatten();
    // SAFETY: both read the table of timers of this process.
    let ends = timers
        .filter(|id| unsafe { get_timeout_active(*id) })
        .map(|id| unsafe { get_timeout_finish_time(id) });
    let left = ends.min()?.saturating_sub(clock::now()).max(0);
    Some(Duration::from_micros(left as u64))
}

struct Armed;

impl Drop for Armed {
    fn drop(&mut self) {
        // SAFETY: the timer was armed by us; after an ERROR its signal, if it came as well, must not hit what
        // follows.
        unsafe {
            let failed = std::thread::panicking();
            disable_timeout(STATEMENT_TIMEOUT, !failed);
            if failed {
                pg_sys::QueryCancelPending = 0;
            }
        }
    }
}

/// Runs `work`, which ends with the ERROR `exceeded` (57014) when it takes longer than `limit`; zero: no
/// limit. Not nested, and only in background workers connected to a database: a session has this timer in use.
pub fn limited<R>(limit: Duration, exceeded: fn(Duration) -> Problem, work: impl FnOnce() -> R) -> R {
    if limit.is_zero() {
        return work();
    }
    let began = Instant::now();
    // PostgreSQL would report a statement_timeout, or a request of a user.
    PgTryBuilder::new(AssertUnwindSafe(|| within(limit, work)))
        .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |error| {
            if began.elapsed() >= limit {
                exceeded(limit).raise()
            }
            error.rethrow()
        })
        .execute()
}

fn within<R>(limit: Duration, work: impl FnOnce() -> R) -> R {
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

/// The timer of [`at_most`] in this process; 0: none yet.
static TIMER: AtomicU32 = AtomicU32::new(0);
/// Whether it went off.
static EXPIRED: AtomicBool = AtomicBool::new(false);

/// Runs in a signal handler.
extern "C-unwind" fn expire() {
    EXPIRED.store(true, SeqCst);
    // SAFETY: what PostgreSQL's own handler of statement_timeout does, in this process.
    unsafe {
        pg_sys::QueryCancelPending = 1;
        pg_sys::InterruptPending = 1;
        pg_sys::SetLatch(pg_sys::MyLatch);
    }
}

/// Runs `work` in a subtransaction that is rolled back, with `None`, when it takes longer than `limit`;
/// another ERROR is handed back. In any process inside a transaction; not nested.
pub fn at_most<R>(limit: Duration, work: impl FnOnce() -> R) -> Option<Result<R, Caught>> {
    if TIMER.load(SeqCst) == 0 {
        // SAFETY: once per process; the handler is a static function.
        TIMER.store(unsafe { RegisterTimeout(USER_TIMEOUT, expire) }, SeqCst);
    }
    let timer = TIMER.load(SeqCst);
    EXPIRED.store(false, SeqCst);
    let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
    // SAFETY: registered above, and not armed.
    unsafe { enable_timeout_after(timer, milliseconds) };
    let result = transaction::attempt_catching_all(work);
    // SAFETY: ours. A signal that came too late to end anything, or that was repeated, must not hit what follows.
    unsafe {
        disable_timeout(timer, false);
        if EXPIRED.load(SeqCst) {
            pg_sys::QueryCancelPending = 0;
            insistent_cancel::forget();
        }
    }
    match result {
        Err(error) if EXPIRED.load(SeqCst) && error.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED => None,
        other => Some(other),
    }
}
