//! The launcher, as shared memory shows it.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32};

use crate::postgres::process::latch;
use crate::postgres::process::shared_memory::SharedArray;

/// The array has one element.
pub static LAUNCHER: SharedArray<Launcher> = SharedArray::new(c"pg_tviews launcher", || 1);

/// Its place in shared memory.
pub struct Launcher {
    /// Process number, for the latch. Launcher.
    pub number: AtomicU32,
    /// Process id, 0 if it is not running. Launcher.
    pub pid: AtomicI32,
    /// A database found no free [`Database`](super::database::Database). Set by any process, cleared by the
    /// launcher when it reads `pg_database`.
    pub databases_full: AtomicBool,
    /// `pg_tviews.enabled` is on and `pg_tviews.workers` is not 0, as the launcher has read them. Launcher.
    pub refreshing: AtomicBool,
    /// How many databases have TVIEWs with a `throttle_lag`. Workers.
    pub throttling: AtomicU32,
    /// When to look for new databases. Lowered by sessions that ran database DDL, raised by the launcher.
    pub scan_at: AtomicI64,
}

impl Default for Launcher {
    fn default() -> Self {
        Self {
            number: AtomicU32::new(latch::NOBODY),
            pid: AtomicI32::new(0),
            databases_full: AtomicBool::new(false),
            refreshing: AtomicBool::new(true),
            throttling: AtomicU32::new(0),
            scan_at: AtomicI64::new(0),
        }
    }
}

/// Wakes the launcher, if there is one.
pub fn wake() {
    if let Some(launcher) = LAUNCHER.get().first() {
        latch::set(launcher.number.load(SeqCst));
    }
}
