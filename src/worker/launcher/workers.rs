//! Which workers start and which leave, as `slots` decides.

use std::sync::atomic::Ordering::SeqCst;

use super::state::{free_place, inspect};
use super::{warn, Round, SCAN, SECOND, START};
use crate::postgres::process::{background_worker, latch};
use crate::settings;
use crate::wake::database::{Database, DATABASES};
use crate::wake::worker::{Worker, FREE, LEAVE, LEAVE_IF_IDLE, STARTING};
use crate::wake::{self, health};
use crate::worker::place::Place;
use crate::worker::slots::{self, Leave};

/// Pause after the postmaster had no slot for a worker.
const NO_SLOT: i64 = SECOND / 4;

impl Round {
    /// Starts workers and asks other workers to leave; returns when to check again.
    pub(super) fn share(&mut self, now: i64) -> i64 {
        let mut wake_at = now + SCAN;
        let mut places = Vec::new();
        let mut teams = Vec::new();
        for (index, database) in DATABASES.get().iter().enumerate() {
            if database.oid().is_some() && database.listed.load(SeqCst) {
                let (team, at) = inspect(database, now);
                wake_at = wake_at.min(at);
                places.push(index);
                teams.push(team);
            }
        }
        let decision = slots::decide(now, wake::slots::usage().slots, &teams);
        // While refreshes are disabled, no worker would use a slot that is given up.
        let leaves = decision.leaves.iter().filter(|_| settings::enabled());
        for (team, place, how) in leaves {
            let worker = &DATABASES.get()[places[*team]].workers[*place];
            let asked = match how {
                Leave::IfIdle => LEAVE_IF_IDLE,
                Leave::AfterThis => LEAVE,
            };
            worker.asked.store(asked, SeqCst);
            latch::set(worker.number.load(SeqCst));
        }
        for team in &decision.starts {
            let index = places[*team];
            let database = &DATABASES.get()[index];
            let free = free_place(database, now);
            let started =
                free.is_some_and(|(number, worker)| self.start(index, number, database, worker, now));
            wake_at = wake_at.min(now + if started { START } else { NO_SLOT });
        }
        self.report_starvation(now);
        decision.again_at.map_or(wake_at, |at| wake_at.min(at))
    }

    /// Reports once that databases wait for a worker, until none does.
    fn report_starvation(&mut self, now: i64) {
        let starves = health::starves(now);
        if starves && !self.reported_no_slot {
            warn(
                "no free background worker slot for pg_tviews",
                "Raise max_worker_processes: SELECT * FROM pg_tviews_health_check(); says how far.",
            );
        }
        self.reported_no_slot = starves;
    }

    fn start(&self, index: usize, number: usize, database: &Database, worker: &Worker, now: i64) -> bool {
        let generation = worker.generation.fetch_add(1, SeqCst).wrapping_add(1);
        worker.started_at.store(now, SeqCst);
        worker.state.store(STARTING, SeqCst);
        // A session that needs an empty database has either seen STARTING, or is seen here. The worker checks
        // once more before it connects.
        if database.blockers.any() {
            worker.state.store(FREE, SeqCst);
            return true;
        }
        worker.failed_starts.fetch_add(1, SeqCst);
        let place = Place {
            database: index as u16,
            worker: number as u16,
            generation,
        };
        let started = background_worker::start_worker(place.to_argument());
        if !started {
            worker.failed_starts.fetch_sub(1, SeqCst);
            let _ = worker.state.compare_exchange(STARTING, FREE, SeqCst, SeqCst);
        }
        started
    }
}
