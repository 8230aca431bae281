//! Why no worker applies the changes of this database, for sessions that would otherwise wait in vain.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::launcher::{self, LAUNCHER};
use super::signal::own_database;
use super::{health, slots};
use crate::postgres::process::clock;
use crate::settings;

/// The launcher starts with the server, and again after it has failed.
const STARTING: Duration = Duration::from_secs(2);
/// Workers and launcher read changed settings a moment later than sessions.
const RELOADING: Duration = Duration::from_millis(250);

/// Why no worker runs in this database or is about to start.
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
    /// Every slot of `max_worker_processes` is used by other processes.
    NoSlot,
    /// Workers end as soon as they start.
    Failing,
}

/// The cause, and how long it must last before it is reported: after CREATE EXTENSION, a restart or database
/// DDL, workers need a moment.
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
    // Databases with workers lend them to others.
    let now = clock::now();
    if health::is_starving(database, now) && slots::usage().workers == 0 {
        return Some((Cause::NoSlot, RELOADING));
    }
    // The database may count as having nothing to do. As this session waits for a refresh, a worker should
    // check.
    if database.rests_until(now).is_some() {
        database.ask_for_visit();
        launcher::wake();
    }
    None
}
