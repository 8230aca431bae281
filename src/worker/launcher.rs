//! The launcher: connected to no database, it keeps up to `pg_tviews.workers` workers in each that has the
//! extension. It remembers nothing that matters: a new launcher finds running workers through their places in
//! shared memory.

mod databases;
mod state;
mod workers;

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::process::{self, background_worker, clock, latch};
use crate::postgres::transaction::worker_transaction::guarded;
use crate::settings;
use crate::wake::launcher::{Launcher, LAUNCHER};

const SECOND: i64 = 1_000_000;
/// How often `pg_database` is read, for databases that no session has announced.
const SCAN: i64 = 60 * SECOND;
/// A worker that has not appeared by then finds its place given away.
const START: i64 = 30 * SECOND;

/// The life of the launcher.
pub fn main() {
    let Some(shared) = LAUNCHER.get().first() else {
        return;
    };
    process::at_exit(detach);
    shared.number.store(latch::own_number(), SeqCst);
    shared.pid.store(process::pid(), SeqCst);
    shared.scan_at.store(0, SeqCst);
    background_worker::connect_to_shared_catalogs();
    background_worker::report_idle();
    let mut round = Round {
        shared,
        without: HashSet::new(),
        unknown: Vec::new(),
        reported_full: false,
        reported_no_slot: false,
    };
    loop {
        latch::reset();
        process::reload_settings_if_asked();
        let refreshing = settings::enabled() && settings::workers() > 0;
        shared.refreshing.store(refreshing, SeqCst);
        let now = clock::now();
        let wake_at = guarded(|| round.go(now)).unwrap_or(now + SECOND);
        background_worker::report_idle();
        latch::wait_idle(Duration::from_micros((wake_at - now).max(0) as u64), true);
    }
}

fn detach() {
    if let Some(shared) = LAUNCHER.get().first() {
        shared.number.store(latch::NOBODY, SeqCst);
        shared.pid.store(0, SeqCst);
    }
}

struct Round {
    shared: &'static Launcher,
    /// Databases where a worker did not find the extension. They announce themselves when they get it.
    without: HashSet<Oid>,
    /// Databases where no worker has looked for the extension yet.
    unknown: Vec<Oid>,
    reported_full: bool,
    reported_no_slot: bool,
}

impl Round {
    /// Gives every database the workers it should have; returns when to check again.
    fn go(&mut self, now: i64) -> i64 {
        let mut wake_at = now + SCAN;
        if settings::workers() > 0 {
            let scan_at = self.shared.scan_at.load(SeqCst);
            if scan_at <= now || scan_at > now + SCAN || databases::are_unlisted() {
                self.shared.scan_at.store(now + SCAN, SeqCst);
                self.scan();
            }
            self.take_in();
            wake_at = wake_at.min(self.share(now)).min(self.shared.scan_at.load(SeqCst));
            // Claimed since, or `pg_database` could not be read.
            if databases::are_unlisted() {
                wake_at = wake_at.min(now + SECOND);
            }
        }
        wake_at
    }
}

fn warn(message: &'static str, hint: &'static str) {
    let code = PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    Problem::new(code, message).hint(hint).warn();
}
