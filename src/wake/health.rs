//! The state of launcher and workers, for the health check and for sessions that wait.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::database::{Database, DATABASES};
use super::launcher::LAUNCHER;
use super::tview::Tview;
use crate::postgres::process::{self, clock};

/// A database that has waited for a worker for longer than this starves.
const STARVING: i64 = 5_000_000;

/// The current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The server preloads the library.
    pub preloaded: bool,
    /// The launcher runs.
    pub launcher_running: bool,
    /// This database has a place among those that can have workers.
    pub known: bool,
    /// Process ids of the workers of this database.
    pub workers: Vec<i32>,
    /// `pg_tviews.max_databases` is too small for the databases that need workers.
    pub databases_full: bool,
    /// This database has nothing to do.
    pub at_rest: bool,
    /// A database has waited for a worker for long.
    pub starves: bool,
    /// This database has waited for a worker for long.
    pub starves_here: bool,
    /// The database is a template or closed to connections: it gets no workers.
    pub excluded: bool,
}

/// Reads shared memory only.
pub fn health() -> Health {
    let launcher = LAUNCHER.get().first();
    let database = Database::find(process::database());
    Health {
        preloaded: launcher.is_some(),
        launcher_running: launcher.is_some_and(|launcher| launcher.pid.load(SeqCst) != 0),
        known: database.is_some(),
        workers: database
            .into_iter()
            .flat_map(|database| database.workers.running())
            .map(|worker| worker.pid.load(SeqCst))
            .filter(|pid| *pid != 0)
            .collect(),
        databases_full: launcher.is_some_and(|launcher| launcher.databases_full.load(SeqCst)),
        at_rest: database.is_some_and(|database| database.rests_until(clock::now()).is_some()),
        starves: starves(clock::now()),
        starves_here: database.is_some_and(|database| is_starving(database, clock::now())),
        excluded: database.is_some_and(|database| database.excluded.load(SeqCst)),
    }
}

/// Whether some database has waited for a worker for long.
pub fn starves(now: i64) -> bool {
    DATABASES.get().iter().any(|database| is_starving(database, now))
}

/// Whether this database has waited for a worker for long.
pub fn is_starving(database: &Database, now: i64) -> bool {
    let since = database.waiting_since.load(SeqCst);
    since != 0 && now - since > STARVING
}

/// Whether the progress of each of these TVIEWs is tracked, or could be.
pub fn tracks_all(tviews: impl Iterator<Item = Oid>) -> bool {
    let tracked = Tview::of(process::database());
    Tview::any_free() || tviews.into_iter().all(|tview| tracked.contains(&tview))
}
