//! The launcher: connected to no database, keeps up to `pg_tviews.workers` workers in each that has the extension, as `slots`
//! decides. It remembers nothing that matters: a new one finds living workers through their places in shared memory.

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::place::Place;
use super::slots::{self, Doing, Leave, Member, Team};
use crate::error::Problem;
use crate::postgres::process::database_list::databases;
use crate::postgres::process::{self, background_worker, clock, latch};
use crate::postgres::transaction::worker_transaction::{guarded, short_transaction};
use crate::settings;
use crate::wake::database::{
    Database, Worker, DATABASES, FREE, LEAVE, LEAVE_IF_IDLE, RUNNING, STARTING, STAY,
};
use crate::wake::launcher::{Launcher, LAUNCHER};
use crate::wake::{self, health};

const SECOND: i64 = 1_000_000;
/// How often to look for databases nobody announced.
const SCAN: i64 = 60 * SECOND;
/// A worker that has not appeared by then will find its place given away.
const START: i64 = 30 * SECOND;
/// Pause after a request the postmaster had no slot for.
const NO_SLOT: i64 = SECOND / 4;
/// Databases asked at the same time whether they have the extension: each takes a worker slot for a moment.
const PROBES: usize = 2;

/// The life of the launcher.
pub fn main() {
    let Some(shared) = LAUNCHER.get().first() else {
        return;
    };
    background_worker::at_exit(detach);
    shared.number.store(latch::own_number(), SeqCst);
    shared.pid.store(process::pid(), SeqCst);
    shared.scan_at.store(0, SeqCst);
    background_worker::connect_to_shared_catalogs();
    background_worker::report_idle();
    let mut round = Round {
        shared,
        without: HashSet::new(),
        unknown: Vec::new(),
        said_full: false,
        said_no_slot: false,
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
    /// Databases that were asked and do not have the extension. They announce themselves when they get it.
    without: HashSet<Oid>,
    /// Databases still to be asked.
    unknown: Vec<Oid>,
    said_full: bool,
    said_no_slot: bool,
}

impl Round {
    /// Brings every database to what it should have; returns when to look again.
    fn go(&mut self, now: i64) -> i64 {
        let mut wake_at = now + SCAN;
        if settings::workers() > 0 {
            let scan_at = self.shared.scan_at.load(SeqCst);
            if scan_at <= now || scan_at > now + SCAN {
                self.shared.scan_at.store(now + SCAN, SeqCst);
                self.scan();
            }
            self.take_in();
            wake_at = wake_at.min(self.share(now)).min(self.shared.scan_at.load(SeqCst));
        }
        wake_at
    }

    /// Compares places with `pg_database`.
    fn scan(&mut self) {
        // Taken before the list is read: what is claimed later may belong to a database newer than the list.
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
                    if !database.can_have_workers {
                        place.wake_all();
                    }
                }
                None if is_empty(place) => place.release(*generation),
                None => place.wake_all(),
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

    /// Gives back the places of databases without the extension and hands them to those not asked yet.
    fn take_in(&mut self) {
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
            if Database::find_or_claim(oid).is_none() {
                self.unknown.push(oid);
                break;
            }
            free -= 1;
        }
        let full = DATABASES.get().iter().all(|place| place.oid().is_some());
        if !full {
            self.shared.databases_full.store(false, SeqCst);
            self.said_full = false;
        } else if self.shared.databases_full.load(SeqCst) && !self.said_full {
            self.said_full = true;
            warn(
                "no workers for a database with pg_tviews: pg_tviews.max_databases is used up",
                "Raise pg_tviews.max_databases and restart the server, or run CALL pg_tviews_drain() there.",
            );
        }
    }

    /// Starts workers and asks others to leave; returns when to look again.
    fn share(&mut self, now: i64) -> i64 {
        let mut wake_at = now + SCAN;
        let mut places = Vec::new();
        let mut teams = Vec::new();
        for (index, database) in DATABASES.get().iter().enumerate() {
            if database.oid().is_some() {
                let (team, at) = inspect(database, now);
                wake_at = wake_at.min(at);
                places.push(index);
                teams.push(team);
            }
        }
        let decision = slots::decide(now, wake::slots::usage().slots, &teams);
        // Nobody can take what is given up where nothing is refreshed.
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

    /// Says once that databases wait for a worker, until none does.
    fn report_starvation(&mut self, now: i64) {
        let starves = health::starves(now);
        if starves && !self.said_no_slot {
            warn(
                "no free background worker slot for pg_tviews",
                "Raise max_worker_processes: SELECT * FROM pg_tviews_health_check(); says how far.",
            );
        }
        self.said_no_slot = starves;
    }

    fn start(&self, index: usize, number: usize, database: &Database, worker: &Worker, now: i64) -> bool {
        let generation = worker.generation.fetch_add(1, SeqCst).wrapping_add(1);
        worker.started_at.store(now, SeqCst);
        worker.state.store(STARTING, SeqCst);
        // A session that asked for an empty database in this moment has either seen STARTING, or is seen here; and
        // the worker looks once more before it connects.
        if database.is_blocked() {
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

fn warn(message: &'static str, hint: &'static str) {
    let code = PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    Problem::new(code, message).hint(hint).warn();
}

/// A database as it is, and when something about it changes that nobody will report.
fn inspect(database: &Database, now: i64) -> (Team, i64) {
    let mut at = now + SCAN;
    for pid in database.blockers().filter(|pid| !process::is_alive(*pid)) {
        database.unblock(pid);
    }
    let mut members = Vec::new();
    for (place, worker) in database.workers.iter().enumerate() {
        let doing = match worker.state.load(SeqCst) {
            RUNNING => doing(worker),
            STARTING => {
                let late_at = worker.started_at.load(SeqCst) + START;
                if late_at <= now {
                    let _ = worker.state.compare_exchange(STARTING, FREE, SeqCst, SeqCst);
                }
                at = at.min(late_at.max(now + SECOND));
                Doing::Starting
            }
            _ => continue,
        };
        let since = worker.since.load(SeqCst);
        members.push(Member { place, doing, since });
    }
    let blocked = database.is_blocked();
    let may_have = !blocked && !database.excluded.load(SeqCst) && database.missing().is_none();
    if blocked {
        at = at.min(now + SECOND);
    }
    let mut waiting_since = None;
    if may_have && members.is_empty() {
        match database.rests_until(now) {
            Some(until) => at = at.min(until),
            None => {
                waiting_since = Some(database.waiting_since.load(SeqCst))
                    .filter(|at| *at != 0)
                    .or(Some(now))
            }
        }
    }
    // After an accident a place stays free for a while, and nobody reports the end of that.
    let place_at = earliest_place(database);
    if may_have && place_at > now {
        at = at.min(place_at);
    }
    database.waiting_since.store(waiting_since.unwrap_or(0), SeqCst);
    let team = Team {
        waiting_since,
        more: database.has_more(),
        // One is enough to find out whether there is any use for more.
        wanted: match database.present.load(SeqCst) {
            true => settings::workers(),
            false => settings::workers().min(1),
        },
        can_start: may_have && free_place(database, now).is_some(),
        members,
    };
    (team, at)
}

fn doing(worker: &Worker) -> Doing {
    if worker.asked.load(SeqCst) != STAY {
        Doing::Leaving
    } else if worker.busy.load(SeqCst) {
        Doing::Working
    } else {
        Doing::Idle(worker.worked_at.load(SeqCst))
    }
}

/// A place for a worker to be started now.
fn free_place(database: &Database, now: i64) -> Option<(usize, &Worker)> {
    let may_start = |worker: &Worker| {
        let at = earliest_start(worker);
        // One that seems far is of a clock that was set back.
        at <= now || at > now + 128 * SECOND
    };
    let workers = database.workers.iter().enumerate().take(settings::workers());
    workers
        .into_iter()
        .find(|(_, worker)| worker.state.load(SeqCst) == FREE && may_start(worker))
}

/// When the first of the free places may be used.
fn earliest_place(database: &Database) -> i64 {
    let free = database.workers.iter().take(settings::workers());
    free.filter(|worker| worker.state.load(SeqCst) == FREE)
        .map(earliest_start)
        .min()
        .unwrap_or(i64::MAX)
}

/// A second after the last end, longer if starts failed in a row; at once if the worker left because it was told to.
fn earliest_start(worker: &Worker) -> i64 {
    match worker.ended_at.load(SeqCst).max(worker.started_at.load(SeqCst)) {
        0 => 0,
        last => last + (SECOND << worker.failed_starts.load(SeqCst).min(6)),
    }
}

fn is_empty(database: &Database) -> bool {
    database
        .workers
        .iter()
        .all(|worker| worker.state.load(SeqCst) == FREE)
}
