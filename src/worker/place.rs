//! A worker's place in shared memory. The launcher reserves it, the worker takes it, and gives it back
//! however it ends.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::OnceLock;

use crate::postgres::process::{self, clock, latch};
use crate::wake::database::{Database, DATABASES};
use crate::wake::launcher;
use crate::wake::tview::TVIEWS;
use crate::wake::worker::{FREE, RUNNING, STARTING, STAY};

/// Which place. The argument of the background worker holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the database.
    pub database: u16,
    /// Index of the worker in it.
    pub worker: u16,
    /// Which start this is.
    pub generation: u32,
}

impl Place {
    /// As an argument for the postmaster.
    pub fn to_argument(self) -> i64 {
        i64::from(self.generation) << 32 | i64::from(self.database) << 16 | i64::from(self.worker)
    }

    /// From the argument that the postmaster passed on.
    pub fn from_argument(argument: i64) -> Self {
        Self {
            database: (argument >> 16) as u16,
            worker: argument as u16,
            generation: (argument >> 32) as u32,
        }
    }

    fn database(self) -> Option<&'static Database> {
        DATABASES.get().get(usize::from(self.database))
    }

    /// Takes the place that the launcher reserved. `None`: this start took too long, and the place was given
    /// away.
    pub fn take(self) -> Option<&'static Database> {
        let database = self.database()?;
        let worker = database.workers.get(usize::from(self.worker))?;
        if worker.generation.load(SeqCst) != self.generation
            || worker
                .state
                .compare_exchange(STARTING, RUNNING, SeqCst, SeqCst)
                .is_err()
        {
            return None;
        }
        let _ = PLACE.set(self);
        process::at_exit(detach);
        database.attend();
        let now = clock::now();
        worker.off.store(false, SeqCst);
        worker.busy.store(false, SeqCst);
        worker.since.store(now, SeqCst);
        worker.worked_at.store(now, SeqCst);
        worker.asked.store(STAY, SeqCst);
        worker.number.store(latch::own_number(), SeqCst);
        worker.pid.store(process::pid(), SeqCst);
        Some(database)
    }
}

static PLACE: OnceLock<Place> = OnceLock::new();
/// This worker leaves because the launcher asked it to, so another one may start in its place immediately.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// This worker is about to leave because it was asked to.
pub fn leave_in_order() {
    LEAVING.store(true, SeqCst);
}

/// Runs when a worker ends, however it ends. Gives back everything it held, and wakes another worker: this
/// one may have been woken for something it has not done.
fn detach() {
    let Some(place) = PLACE.get() else { return };
    let Some(database) = place.database() else { return };
    let index = usize::from(place.worker);
    let me = index as u32 + 1;
    let worker = &database.workers[index];
    database.workers.mark_absent(index);
    database.workers.end_long(index);
    if let Some(oid) = database.oid() {
        for tview in TVIEWS.get().iter().filter(|tview| tview.is_of(oid)) {
            if tview.runner.load(SeqCst) == me {
                tview.parts.store(0, SeqCst);
            }
            let _ = tview.runner.compare_exchange(me, 0, SeqCst, SeqCst);
            tview.leave(index);
        }
    }
    database.sources.end_quiet();
    let _ = database.housekeeper.compare_exchange(me, 0, SeqCst, SeqCst);
    worker.pid.store(0, SeqCst);
    worker.number.store(latch::NOBODY, SeqCst);
    if LEAVING.load(SeqCst) {
        worker.failed_starts.store(0, SeqCst);
        worker.started_at.store(0, SeqCst);
        worker.ended_at.store(0, SeqCst);
    } else {
        worker.ended_at.store(clock::now(), SeqCst);
    }
    worker.state.store(FREE, SeqCst);
    database.unattend();
    database.workers.wake_one();
    launcher::wake();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_trip_through_the_postmaster() {
        let place = Place {
            database: 1023,
            worker: 63,
            generation: u32::MAX,
        };
        assert_eq!(Place::from_argument(place.to_argument()), place);
    }
}
