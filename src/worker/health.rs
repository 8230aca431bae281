//! What the health check can say about launcher and workers of the current database.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::shared::{Database, Tview, LAUNCHER};
use crate::postgres::process;

/// As of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The server preloads the library.
    pub preloaded: bool,
    /// The launcher runs.
    pub launcher_running: bool,
    /// This database has its place among those that can have workers.
    pub known: bool,
    /// Process ids of the workers of this database.
    pub workers: Vec<i32>,
    /// `pg_tviews.max_databases` is too small for the databases that want workers.
    pub databases_full: bool,
    /// The last request for a worker found `max_worker_processes` used up.
    pub no_worker_slot: bool,
    /// The database is a template or closed to connections: it gets no workers.
    pub excluded: bool,
}

/// Looks at shared memory only.
pub fn health() -> Health {
    let launcher = LAUNCHER.get().first();
    let database = Database::find(process::database());
    Health {
        preloaded: launcher.is_some(),
        launcher_running: launcher.is_some_and(|launcher| launcher.pid.load(SeqCst) != 0),
        known: database.is_some(),
        workers: database
            .into_iter()
            .flat_map(|database| database.running())
            .map(|worker| worker.pid.load(SeqCst))
            .filter(|pid| *pid != 0)
            .collect(),
        databases_full: launcher.is_some_and(|launcher| launcher.databases_full.load(SeqCst)),
        no_worker_slot: launcher.is_some_and(|launcher| launcher.no_worker_slot.load(SeqCst)),
        excluded: database.is_some_and(|database| database.excluded.load(SeqCst)),
    }
}

/// Whether the progress of each of these TVIEWs is tracked, or could be.
pub fn tracks_all(tviews: impl Iterator<Item = Oid>) -> bool {
    let tracked = Tview::of(process::database());
    Tview::any_free() || tviews.into_iter().all(|tview| tracked.contains(&tview))
}
