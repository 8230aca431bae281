//! Which databases have a place in shared memory: those with the extension, and those where it is looked for.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::{warn, Round};
use crate::postgres::process::background_worker;
use crate::postgres::process::database_list::databases;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::wake::database::{Database, DATABASES};
use crate::wake::worker::FREE;

/// In how many databases workers look for the extension at the same time: each takes a worker slot for a
/// moment.
const PROBES: usize = 2;

impl Round {
    /// Compares places with `pg_database`.
    pub(super) fn scan(&mut self) {
        // Read before the list: what is claimed later may belong to a database newer than the list.
        let places: Vec<(&Database, Oid, u64)> = DATABASES
            .get()
            .iter()
            .filter_map(|place| Some((place, place.oid()?, place.generation.load(SeqCst))))
            .collect();
        background_worker::report_running("looking for databases");
        let Some(list) = short_transaction(databases) else {
            return;
        };
        for (place, oid, generation) in &places {
            match list.iter().find(|database| database.oid == *oid) {
                Some(database) => {
                    place.excluded.store(!database.can_have_workers, SeqCst);
                    place.listed.store(true, SeqCst);
                    if !database.can_have_workers {
                        place.workers.wake_all();
                    }
                }
                None if is_empty(place) => place.release(*generation),
                None => place.workers.wake_all(),
            }
        }
        let exists = |oid: &Oid| list.iter().any(|database| database.oid == *oid);
        self.without.retain(exists);
        self.unknown = list
            .iter()
            .filter(|database| database.can_have_workers)
            .map(|database| database.oid)
            .filter(|oid| !self.without.contains(oid) && Database::find(*oid).is_none())
            .collect();
    }

    /// Gives back the places of databases without the extension, and gives them to databases that may have
    /// it.
    pub(super) fn take_in(&mut self) {
        for place in DATABASES.get() {
            if let (Some(oid), Some(generation)) = (place.oid(), place.missing()) {
                if is_empty(place) {
                    self.without.insert(oid);
                    place.release(generation);
                }
            }
        }
        let asking = |place: &&Database| {
            place.oid().is_some() && !place.present.load(SeqCst) && !place.excluded.load(SeqCst)
        };
        let mut free = PROBES.saturating_sub(DATABASES.get().iter().filter(asking).count());
        while free > 0 {
            let Some(oid) = self.unknown.pop() else { break };
            let Some(place) = Database::find_or_claim(oid) else {
                self.unknown.push(oid);
                break;
            };
            place.listed.store(true, SeqCst);
            free -= 1;
        }
        let full = DATABASES.get().iter().all(|place| place.oid().is_some());
        if !full {
            self.shared.databases_full.store(false, SeqCst);
            self.reported_full = false;
        } else if self.shared.databases_full.load(SeqCst) && !self.reported_full {
            self.reported_full = true;
            warn(
                "no workers for a database with pg_tviews: pg_tviews.max_databases is used up",
                "Raise pg_tviews.max_databases and restart the server, or run CALL pg_tviews_drain() there.",
            );
        }
    }
}

/// Whether a session has claimed a place for a database that may be a template.
pub(super) fn are_unlisted() -> bool {
    let unlisted = |place: &Database| place.oid().is_some() && !place.listed.load(SeqCst);
    DATABASES.get().iter().any(unlisted)
}

fn is_empty(database: &Database) -> bool {
    database
        .workers
        .iter()
        .all(|worker| worker.state.load(SeqCst) == FREE)
}
