//! What can be said about launcher, workers and slots: to the health check, and to sessions that wait in vain.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::shared::{Database, Tview, DATABASES, LAUNCHER};
use super::slots::Slots;
use crate::postgres::{clock, process};
use crate::settings;

/// A database that waits for a worker for longer than this starves.
const STARVING: i64 = 5_000_000;

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
    /// This database has nothing to do.
    pub at_rest: bool,
    /// Some database has waited for a worker for long.
    pub starves: bool,
    /// This one has.
    pub starves_here: bool,
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
pub(super) fn is_starving(database: &Database, now: i64) -> bool {
    let since = database.waiting_since.load(SeqCst);
    since != 0 && now - since > STARVING
}

/// Who uses the slots of `max_worker_processes`, and for how many they would have to be enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub slots: Slots,
    /// Databases that have the extension.
    pub databases: usize,
    /// Workers in all of them.
    pub workers: usize,
    /// Background workers of parallel queries, at this moment.
    pub parallel: usize,
}

impl Usage {
    /// The least `max_worker_processes` with which no worker has to lend its slot.
    pub fn needed(&self) -> usize {
        self.slots.needed(self.databases.max(1) * settings::workers())
    }

    /// Whether there are fewer.
    pub fn is_short(&self) -> bool {
        self.slots.total < self.needed()
    }

    /// In numbers.
    pub fn describe(&self) -> String {
        let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let databases = count(self.databases, "database has", "databases have");
        let others = count(self.slots.others - 1, "slot is", "slots are");
        let parallel = match self.parallel {
            0 => String::new(),
            now => format!(", {now} at this moment by parallel queries"),
        };
        format!(
            "of max_worker_processes = {} the launcher of pg_tviews uses 1, {} used by other background workers{parallel}, and {} left for parallel queries. {databases} the extension, with up to {} refresh workers each.",
            self.slots.total,
            others,
            match self.slots.reserved() {
                1 => "1 is".to_string(),
                more => format!("{more} are"),
            },
            settings::workers(),
        )
    }
}

/// As of now.
pub fn usage() -> Usage {
    let launcher = LAUNCHER
        .get()
        .first()
        .map_or(0, |launcher| launcher.pid.load(SeqCst));
    let now = clock::now();
    let own = Database::find(process::database()).map(std::ptr::from_ref);
    let has_extension = |database: &&Database| {
        database.present.load(SeqCst)
            || own == Some(std::ptr::from_ref(*database))
            || database.is_announced() && is_starving(database, now)
    };
    let ours: Vec<i32> = DATABASES
        .get()
        .iter()
        .flat_map(|database| database.running())
        .map(|worker| worker.pid.load(SeqCst))
        .collect();
    let processes = process::background_workers();
    let others = processes
        .iter()
        .filter(|(pid, parallel)| !parallel && *pid != launcher && !ours.contains(pid))
        .count();
    Usage {
        slots: Slots {
            total: process::worker_slots(),
            // The launcher has its slot whether it runs or not.
            others: others + 1,
            parallel: process::parallel_workers(),
        },
        databases: DATABASES.get().iter().filter(has_extension).count(),
        workers: ours.len(),
        parallel: processes.iter().filter(|(_, parallel)| *parallel).count(),
    }
}

/// The slots, for whoever shares them out.
pub fn slots() -> Slots {
    usage().slots
}

/// Whether the progress of each of these TVIEWs is tracked, or could be.
pub fn tracks_all(tviews: impl Iterator<Item = Oid>) -> bool {
    let tracked = Tview::of(process::database());
    Tview::any_free() || tviews.into_iter().all(|tview| tracked.contains(&tview))
}
