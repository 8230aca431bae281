//! Why nothing is applied in this database, to sessions that would wait for it in vain.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::launcher::{self, LAUNCHER};
use super::signal::own_database;
use super::{health, slots};
use crate::postgres::process::clock;
use crate::settings;

/// The launcher starts with the server, and again after an accident.
const STARTING: Duration = Duration::from_secs(2);
/// What settings say reaches workers and the launcher a moment later than sessions.
const RELOADING: Duration = Duration::from_millis(250);

/// Nobody besides the caller applies pending changes of this database, and nobody is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server does not preload the library.
    NotPreloaded,
    /// `pg_tviews.enabled` is off.
    Disabled,
    /// `pg_tviews.workers` is 0.
    NoWorkers,
    /// `pg_tviews.max_databases` is used up.
    NoPlace,
    /// The launcher does not run.
    NoLauncher,
    /// A template, or closed to connections.
    Excluded,
    /// Every slot of `max_worker_processes` is used by others.
    NoSlot,
    /// Workers end as soon as they start.
    Failing,
}

/// The cause, and how long it has to last to be believed (after CREATE EXTENSION, a restart, or database
/// DDL).
pub fn undrained() -> Option<(Cause, Duration)> {
    let Some(launcher) = LAUNCHER.get().first() else {
        return Some((Cause::NotPreloaded, Duration::ZERO));
    };
    let switched_off = match settings::workers() {
        0 => Cause::NoWorkers,
        _ => Cause::Disabled,
    };
    let Some(database) = own_database() else {
        return Some((Cause::NoPlace, RELOADING));
    };
    if database.is_attended() {
        let off = database.workers.running().all(|worker| worker.off.load(SeqCst));
        return off.then_some((switched_off, RELOADING));
    }
    if launcher.pid.load(SeqCst) == 0 {
        return Some((Cause::NoLauncher, STARTING));
    }
    if !launcher.refreshing.load(SeqCst) {
        return Some((switched_off, RELOADING));
    }
    if database.excluded.load(SeqCst) {
        return Some((Cause::Excluded, RELOADING));
    }
    if database
        .workers
        .iter()
        .any(|worker| worker.failed_starts.load(SeqCst) > 3)
    {
        return Some((Cause::Failing, RELOADING));
    }
    // Databases with workers lend theirs.
    let now = clock::now();
    if health::is_starving(database, now) && slots::usage().workers == 0 {
        return Some((Cause::NoSlot, RELOADING));
    }
    // It may have been found at rest: whatever this session waits for, somebody should look.
    if database.rests_until(now).is_some() {
        database.ask_for_visit();
        launcher::wake();
    }
    None
}
