//! One worker of a database, as shared memory shows it.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32};

use crate::postgres::process::latch;

/// A worker. Times are microseconds, 0 means never.
pub struct Worker {
    /// FREE -> STARTING (launcher) -> RUNNING (the worker) -> FREE (the worker; the launcher if it never
    /// started).
    pub state: AtomicU32,
    /// Counts starts: a worker that starts too late finds that its place was given to another one. Launcher.
    pub generation: AtomicU32,
    /// 0 unless running. The worker.
    pub pid: AtomicI32,
    /// Process number, for the latch. The worker.
    pub number: AtomicU32,
    /// When the launcher asked for it. Launcher; the worker clears it when it ends on request.
    pub started_at: AtomicI64,
    /// When it last ended without a request. The worker.
    pub ended_at: AtomicI64,
    /// Starts since the last one that reached the main loop. Launcher adds, the worker resets.
    pub failed_starts: AtomicU32,
    /// The worker refreshes nothing: it has read that `pg_tviews.enabled` is off. The worker.
    pub off: AtomicBool,
    /// The worker is not waiting for work. The worker.
    pub busy: AtomicBool,
    /// Since when it runs. The worker.
    pub since: AtomicI64,
    /// When its last refresh ended, or when it started. The worker.
    pub worked_at: AtomicI64,
    /// Whether it should give its slot to another database. Launcher; the worker when it starts, and when it
    /// finds something to do.
    pub asked: AtomicU32,
}

/// No other database needs the slot.
pub const STAY: u32 = 0;
/// The worker should end if it has nothing to do.
pub const LEAVE_IF_IDLE: u32 = 1;
/// The worker should end after its current refresh.
pub const LEAVE: u32 = 2;

/// No worker runs or starts.
pub const FREE: u32 = 0;
/// Requested from the postmaster, not yet running.
pub const STARTING: u32 = 1;
/// Running.
pub const RUNNING: u32 = 2;

impl Default for Worker {
    fn default() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            generation: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            number: AtomicU32::new(latch::NOBODY),
            started_at: AtomicI64::new(0),
            ended_at: AtomicI64::new(0),
            failed_starts: AtomicU32::new(0),
            off: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            since: AtomicI64::new(0),
            worked_at: AtomicI64::new(0),
            asked: AtomicU32::new(STAY),
        }
    }
}
