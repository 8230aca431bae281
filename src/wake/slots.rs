//! The slots of `max_worker_processes`: which processes use them, and how many are needed.

use std::sync::atomic::Ordering::SeqCst;

use super::database::{Database, DATABASES};
use super::health::is_starving;
use super::launcher::LAUNCHER;
use crate::postgres::process::{self, clock};
use crate::settings;

/// The slots of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// `max_worker_processes`.
    pub total: usize,
    /// Used by the launcher, and by other background workers that do not belong to parallel queries.
    pub others: usize,
    /// `max_parallel_workers_per_gather`.
    pub parallel: usize,
}

impl Slots {
    /// Slots that only a database's first worker takes, and gives back when it is idle: enough for one
    /// parallel query, but at most a quarter of all.
    pub fn reserved(self) -> usize {
        self.parallel.min(self.total / 4)
    }

    /// Slots for workers.
    pub fn usable(self) -> usize {
        self.total.saturating_sub(self.others)
    }

    /// Slots for workers that need not lend theirs to another database.
    pub fn settled(self) -> usize {
        self.usable().saturating_sub(self.reserved())
    }

    /// The least `max_worker_processes` with which so many workers need not lend their slots.
    pub fn needed(self, workers: usize) -> usize {
        let enough = |total: &usize| {
            Slots {
                total: *total,
                ..self
            }
            .settled()
                >= workers
        };
        (1..).find(enough).unwrap_or(usize::MAX)
    }
}

/// The processes that use the slots of `max_worker_processes`, and those that need them.
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

    /// Whether `max_worker_processes` is smaller than that.
    pub fn is_short(&self) -> bool {
        self.slots.total < self.needed()
    }

    /// The numbers as a sentence.
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

/// The current usage.
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
        .flat_map(|database| database.workers.running())
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
