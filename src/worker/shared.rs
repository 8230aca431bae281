//! What writers, workers and the launcher share. There is no lock: every field is an atomic, and its comment says
//! who writes it. Nothing here decides what is correct, only who wakes when: positions in the audit table do that,
//! and a worker looks for news in the queue every few seconds, at all of it once a minute.
//!
//! Ticks: every committing writer draws a number from its database's `tick` *after* its transaction is visible, and
//! leaves it at the sources it changed. A worker reads `tick` *before* it takes its snapshot, so all numbers up to
//! that are absorbed by its refresh. Stores and the loads they race with are SeqCst: a writer stores its tick and then
//! asks whether someone sleeps, a worker says it sleeps and then looks at the ticks; one of them sees the other.
//!
//! A worker does not look at every TVIEW: sources whose TVIEWs have something to do, now or after a pause, are restless.
//! Writers set that mark after their tick, a worker clears it when all TVIEWs of the source are at rest, and looks at them once
//! more; again one of them sees the other.

mod database;
mod progress;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32};

pub use database::{
    Database, Source, Worker, FREE, LEAVE, LEAVE_IF_IDLE, RUNNING, STARTING, STAY, VISIT, WORKERS,
};
pub use progress::Tview;

use crate::postgres::latch;
use crate::postgres::shmem::{Reservation, SharedArray};
use crate::settings;

/// One element.
pub static LAUNCHER: SharedArray<Launcher> = SharedArray::new(c"pg_tviews launcher", || 1);
/// One element per database that has, or may have, the extension.
pub static DATABASES: SharedArray<Database> =
    SharedArray::new(c"pg_tviews databases", settings::max_databases);
/// Progress of TVIEWs, found by hash and linear probing.
pub static TVIEWS: SharedArray<Tview> = SharedArray::new(c"pg_tviews progress", settings::max_tviews);

/// All that is to be reserved.
pub static ALL: &[&dyn Reservation] = &[&LAUNCHER, &DATABASES, &TVIEWS];

/// The launcher, as others see it.
pub struct Launcher {
    /// Process number for its latch, or nobody. Launcher.
    pub number: AtomicU32,
    /// Process id, 0 if it is not running. Launcher.
    pub pid: AtomicI32,
    /// A database found no free [`Database`]. Set by anyone, cleared by the launcher's scan.
    pub databases_full: AtomicBool,
    /// `pg_tviews.enabled` is on and `pg_tviews.workers` is not 0, as it has read them. Launcher.
    pub refreshing: AtomicBool,
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
            scan_at: AtomicI64::new(0),
        }
    }
}

/// Wakes the launcher, if there is one.
pub fn wake_launcher() {
    if let Some(launcher) = LAUNCHER.get().first() {
        latch::set(launcher.number.load(SeqCst));
    }
}

/// Spreads neighbouring oids (Fibonacci hashing).
fn hash(value: u64) -> u64 {
    value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}
