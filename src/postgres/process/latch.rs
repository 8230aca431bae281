//! Sleeping on the latch of this process, and waking other processes by theirs.

use std::time::Duration;

use pgrx::pg_sys;

use crate::postgres::process;
use crate::postgres::versions::{process_number, wait_event};

/// Stands for no process.
pub const NOBODY: u32 = u32::MAX;

/// Number of this process in the process array, by which other processes wake it.
pub fn own_number() -> u32 {
    process_number::own()
}

/// Wakes process `number`. Callable after commit: allocates, locks and raises nothing. If the process has
/// ended and another one has its place, that one wakes for nothing, which every user of a latch must expect.
pub fn set(number: u32) {
    // SAFETY: the bound is checked against the array, which lives as long as shared memory.
    unsafe {
        if !pg_sys::ProcGlobal.is_null() && number < (*pg_sys::ProcGlobal).allProcCount {
            pg_sys::SetLatch(&raw mut (*(*pg_sys::ProcGlobal).allProcs.add(number as usize)).procLatch);
        }
    }
}

/// Clears the latch of this process: a change of what is checked afterwards sets it again.
pub fn reset() {
    // SAFETY: MyLatch is valid for the life of the process.
    unsafe { pg_sys::ResetLatch(pg_sys::MyLatch) }
}

/// A short pause of a session in the middle of its command; raises what is pending, for example a cancel
/// request.
pub fn pause_or_raise(timeout: Duration) {
    pause(timeout);
    pg_sys::check_for_interrupts!();
}

/// A short pause of a session in the middle of its command; false if a cancel or a termination is pending,
/// which is raised by PostgreSQL's own code: raised from here, it would carry a Rust backtrace. Other
/// requests, such as closing the files of a dropped database, are served here.
pub fn pause(timeout: Duration) -> bool {
    pause_at(timeout, wait_event::UNNAMED)
}

/// The same under a wait event of its own.
pub fn pause_at(timeout: Duration, event: u32) -> bool {
    sleep_at(timeout, event);
    reset();
    // SAFETY: flags of this process, set by its own signal handlers.
    let (ended, asked) = unsafe {
        (
            pg_sys::QueryCancelPending != 0 || pg_sys::ProcDiePending != 0,
            pg_sys::InterruptPending != 0,
        )
    };
    if asked && !ended {
        pg_sys::check_for_interrupts!();
    }
    !ended
}

/// Sleeps until woken or timed out, in a background process with nothing under way: a termination request
/// ends it without a FATAL in the log, a cancel request finds nothing to cancel. The latch stays set: see
/// [`reset`].
pub fn wait_idle(timeout: Duration, restartable: bool) {
    leave_if_told(restartable);
    sleep(timeout);
    leave_if_told(restartable);
    // SAFETY: a flag of this process, set by its own signal handler only.
    unsafe { pg_sys::QueryCancelPending = 0 };
    pg_sys::check_for_interrupts!();
}

fn sleep(timeout: Duration) {
    sleep_at(timeout, wait_event::UNNAMED);
}

fn sleep_at(timeout: Duration, event: u32) {
    // Rounded up, or the last fraction of a millisecond before a deadline would be spent spinning.
    let milliseconds = timeout.as_micros().div_ceil(1000).min(60_000) as i64;
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: MyLatch is valid for the life of the process and WL_EXIT_ON_PM_DEATH covers the postmaster's
    // end.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, event);
    }
}

fn leave_if_told(restartable: bool) {
    // SAFETY: a flag of this process, set by its own signal handler only.
    if unsafe { pg_sys::ProcDiePending } != 0 {
        process::exit(restartable);
    }
}
