//! How long this process waits for a lock: what its session allows, and what each kind of work allows itself.

use std::ffi::CStr;
use std::time::Duration;

use pgrx::pg_sys;

use crate::postgres::run_as;

/// Definitions: the longest time that other sessions queue behind a lock that is waited for. A `lock_timeout` of 100 ms
/// leaves room for what is done under the lock.
pub const DEFINITION: Duration = Duration::from_millis(50);
/// Plans, of a view whose tables are found by locking it. Long enough for locks that are held for a moment, as when a
/// table is extended; much shorter than `deadlock_timeout`.
pub const PLAN: Duration = Duration::from_millis(10);
/// Refreshes: the wait for a row if keys are skipped whose rows another session holds.
pub const HELD_ROW: Duration = Duration::from_millis(5);
/// Workers, outside refreshes. A wait that began before its deadlock was complete ends before a session looks for
/// deadlocks, too.
pub const WORKER: &CStr = c"500ms";
/// Workers look for deadlocks early. The first process that notices a deadlock gives way: that should be the worker,
/// whose work is done again.
pub const WORKER_DEADLOCK: &CStr = c"10ms";

/// Limits each wait until the end of the transaction.
pub fn limit_transaction(longest: Duration) {
    run_as::set_local("lock_timeout", &milliseconds(longest));
}

/// Limits each wait until the rights that are in force now are given back.
pub fn limit(longest: Duration) {
    run_as::set("lock_timeout", &milliseconds(longest));
}

/// Limits each wait of `work`.
pub fn limited<R>(longest: Duration, work: impl FnOnce() -> R) -> R {
    run_as::with_setting("lock_timeout", &milliseconds(longest), work)
}

/// `lock_timeout` of the session; `None`: without limit.
pub fn of_session() -> Option<Duration> {
    // SAFETY: reads a setting of this process.
    let milliseconds = u64::try_from(unsafe { pg_sys::LockTimeout }).unwrap_or(0);
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

/// `deadlock_timeout`: after this wait PostgreSQL looks for a deadlock.
pub fn until_deadlock_check() -> Duration {
    // SAFETY: reads a setting of this process.
    Duration::from_millis(u64::try_from(unsafe { pg_sys::DeadlockTimeout }).unwrap_or(1000))
}

fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
