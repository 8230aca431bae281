//! A worker: refreshes what is due, keeps house when nothing is, sleeps without a transaction.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::housekeeping;
use super::lookout::{Lookout, POLL};
use super::place::{leave_in_order, Place};
use super::schedule::{self, Next};
use super::team::Team;
use super::tracked::TrackedSet;
use crate::define::in_step;
use crate::postgres::extension;
use crate::postgres::permit;
use crate::postgres::process::{self, background_worker, clock, latch, leftovers};
use crate::postgres::transaction::worker_transaction::{guarded, report_statistics, short_transaction};
use crate::refresh::plan::cache;
use crate::refresh::{self, Status};
use crate::wake::database::{Database, Worker, LEAVE, LEAVE_IF_IDLE, STAY, VISIT};
use crate::wake::launcher;
use crate::wake::tview::Tview;
use crate::{catalog, define, settings};

/// Definitions are loaded no more often than this, however fast they change.
const RELOAD: i64 = 100_000;
/// A TVIEW that is not ready although its definition says so: that is about to be loaded.
const NOT_READY: i64 = 250_000;
/// A suspended TVIEW is tried again after this, then after longer pauses, and when DDL may have helped.
const SUSPENDED: i64 = 5_000_000;

/// What no ALTER DATABASE, ALTER ROLE or configuration file may change for refreshes.
const FORCED: &[(&std::ffi::CStr, &std::ffi::CStr)] = &[
    (c"application_name", c"pg_tviews worker"),
    (c"role", c"none"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"statement_timeout", c"0"),
    // A wait that began before its deadlock was complete ends before a session looks for deadlocks, too.
    (c"lock_timeout", c"500ms"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
    (c"synchronous_commit", c"off"),
    (c"session_replication_role", c"origin"),
    // In a deadlock the first to notice gives way: let that be the worker, whose work is simply done again.
    (c"deadlock_timeout", c"10ms"),
    // Refreshes are short: compiling their plans costs more than it saves.
    (c"jit", c"off"),
];

/// The life of a worker.
pub fn main(argument: i64) {
    let Some(mut refresher) = Refresher::at(Place::from_argument(argument)) else {
        return;
    };
    // Checked before connecting: a session may be waiting for this database to be without connections.
    if refresher.should_leave() {
        leave_in_order();
        return;
    }
    background_worker::connect(refresher.oid);
    for (name, value) in FORCED {
        background_worker::force_setting(name, value);
    }
    permit::serve();
    refresher.worker().failed_starts.store(0, SeqCst);
    background_worker::report_idle();
    loop {
        match guarded(|| refresher.step()) {
            Some(Step::Leave) => {
                leave_in_order();
                return;
            }
            Some(Step::Continue) => {}
            None => latch::wait_idle(Duration::from_secs(1), false),
        }
    }
}

enum Step {
    Continue,
    Leave,
}

struct Refresher {
    oid: Oid,
    database: &'static Database,
    index: usize,
    tracked: TrackedSet,
    /// The generation of definitions that `tracked` holds.
    generation: Option<u64>,
    loaded_at: i64,
    /// The share of its time it has spent on refreshes lately.
    load: f64,
    /// When the last refresh ended.
    worked_until: i64,
    lookout: Lookout,
    /// It met a TVIEW that is for another process: one that starts in its place.
    used: bool,
}

impl Refresher {
    fn at(place: Place) -> Option<Self> {
        let database = place.take()?;
        Some(Self {
            oid: database.oid()?,
            database,
            index: usize::from(place.worker),
            tracked: TrackedSet::new(database),
            generation: None,
            loaded_at: 0,
            load: 0.0,
            worked_until: 0,
            lookout: Lookout::default(),
            used: false,
        })
    }

    fn worker(&self) -> &'static Worker {
        &self.database.workers[self.index]
    }

    fn should_leave(&self) -> bool {
        self.database.is_blocked()
            || self.database.excluded.load(SeqCst)
            || self.database.missing().is_some()
            || self.index >= settings::workers()
            || self.worker().asked.load(SeqCst) == LEAVE
    }

    /// One decision. The order loses no wake: say idle, clear the latch, look, and only then sleep.
    fn step(&mut self) -> Step {
        if settings::enabled() {
            self.database.mark_idle(self.index);
        }
        latch::reset();
        let tick = self.database.tick.load(SeqCst);
        process::reload_settings_if_asked();
        if self.used || self.should_leave() {
            return Step::Leave;
        }
        self.database.workers[self.index]
            .off
            .store(!settings::enabled(), SeqCst);
        if !settings::enabled() {
            self.database.mark_absent(self.index);
            latch::wait_idle(Duration::from_secs(60), false);
            return Step::Continue;
        }
        let now = clock::now();
        let reload_at = self.reload_at();
        if reload_at.is_some_and(|at| at <= now) {
            self.work(|refresher| refresher.reload(now));
            return Step::Continue;
        }
        let poll_at = self.database.poll_at.load(SeqCst);
        if self.lookout.is_urgent(poll_at) {
            self.work(|refresher| refresher.poll(poll_at, now));
            return Step::Continue;
        }
        let only_short = !self.database.may_take_long(self.index);
        let generation = self.generation;
        let until = match self.tracked.next(now, only_short, generation) {
            Next::Refresh { index, more } => {
                let long = self.tracked.is_long(index, now);
                let may_be_long = long || self.tracked.is_unknown(index, now);
                let granted = may_be_long && self.database.begin_long(self.index);
                if long && !granted {
                    return Step::Continue;
                }
                // Of what turns out to be long, only as much is done as others can wait for.
                let limit = match granted || self.database.running().count() < 2 {
                    true => None,
                    false => self.tracked.limit(index, now),
                };
                self.work(|refresher| {
                    if (more || long) && !refresher.database.wake_one() {
                        refresher.ask_for_more(now);
                    }
                    refresher.refresh(index, limit);
                });
                self.database.end_long(self.index);
                return Step::Continue;
            }
            Next::Sleep { until } => until,
        };
        let mut house_at = housekeeping::due_at(self.database);
        if house_at <= now {
            if self.work(|refresher| housekeeping::run(refresher.database, refresher.index, now)) {
                return Step::Continue;
            }
            // Another worker is at it, and will go on with it.
            house_at = now + POLL;
            self.database.mark_idle(self.index);
            if !matches!(self.tracked.next(now, only_short, generation), Next::Sleep { .. }) {
                return Step::Continue;
            }
        }
        // A clock that was set back must not put it off for long.
        let poll_at = poll_at.min(now + POLL);
        if poll_at <= now {
            self.work(|refresher| refresher.poll(poll_at, now));
            return Step::Continue;
        }
        if self.worker().asked.load(SeqCst) == LEAVE_IF_IDLE {
            // Nobody should have to come back for that alone.
            if housekeeping::trim_now(self.database, now) {
                return Step::Continue;
            }
            self.database
                .rest(tick, self.visit_at(now, until.into_iter().chain(reload_at)));
            return Step::Leave;
        }
        let mut wake_at = house_at.min(poll_at);
        wake_at = until.into_iter().chain(reload_at).fold(wake_at, i64::min);
        if let Some(later) = report_statistics() {
            wake_at = wake_at.min(now + later.as_micros() as i64);
        }
        self.database.note_enough();
        latch::wait_idle(Duration::from_micros((wake_at - now).max(0) as u64), false);
        Step::Continue
    }

    /// Does something that takes time: commits meanwhile wake someone else.
    fn work<R>(&mut self, something: impl FnOnce(&mut Self) -> R) -> R {
        self.database.mark_busy(self.index);
        let worker = self.worker();
        worker.busy.store(true, SeqCst);
        let result = something(self);
        worker.busy.store(false, SeqCst);
        background_worker::report_idle();
        result
    }

    /// When this database needs a worker again, should this one leave now.
    fn visit_at(&self, now: i64, alarms: impl Iterator<Item = i64>) -> i64 {
        let trim_at = Some(self.database.trim_at.load(SeqCst)).filter(|at| *at != 0);
        alarms.chain(trim_at).fold(now + VISIT, i64::min)
    }

    /// There is work for one more than run.
    fn ask_for_more(&self, now: i64) {
        let has_all = self.database.running().count() >= settings::workers();
        if !has_all && self.database.note_more(now) {
            launcher::wake();
        }
    }

    /// Something has been refreshed: whoever asked for the slot of an idle worker asks another one.
    fn worked(&mut self, started: i64) {
        let now = clock::now();
        self.load = schedule::load(self.load, started - self.worked_until, now - started);
        self.worked_until = now;
        let worker = self.worker();
        worker.worked_at.store(now, SeqCst);
        let _ = worker.asked.compare_exchange(LEAVE_IF_IDLE, STAY, SeqCst, SeqCst);
    }

    fn reload_at(&self) -> Option<i64> {
        match self.generation {
            None => Some(self.loaded_at),
            Some(loaded) if loaded == self.database.generation.load(SeqCst) => None,
            Some(_) => Some(self.loaded_at + RELOAD),
        }
    }

    /// Loads definitions, or finds the extension gone.
    fn reload(&mut self, now: i64) {
        let generation = self.database.generation.load(SeqCst);
        let known = Tview::of(self.oid);
        background_worker::report_running("loading TVIEW definitions");
        let first = !self.database.present.load(SeqCst);
        let load = || {
            if first {
                define::unlogged::server_started();
            }
            catalog::load()
        };
        match short_transaction(|| extension::exists().then(load)) {
            Some(Some(infos)) => {
                if self.tracked.replace(self.oid, infos, &known) {
                    housekeeping::wanted_tidy(self.database);
                }
                // Those of TVIEWs that are gone, among others.
                cache::tidy();
                self.generation = Some(generation);
                self.loaded_at = now;
                // Rows may have lost the last TVIEW that waits for them.
                housekeeping::wanted(self.database, now);
                if !self.database.present.swap(true, SeqCst) {
                    launcher::wake();
                }
            }
            Some(None) => self.note_missing(generation),
            // Reported already; once more in a second.
            None => {
                self.generation = None;
                self.loaded_at = now + 1_000_000;
            }
        }
    }

    fn note_missing(&self, generation: u64) {
        self.database.note_missing(generation);
        self.database.wake_all();
    }

    /// Looks into the queue without being told of a change.
    fn poll(&mut self, poll_at: i64, now: i64) {
        let generation = self.database.generation.load(SeqCst);
        let tracked = &self.tracked;
        if !self
            .lookout
            .look(self.database, || tracked.source_oids(), poll_at, now)
        {
            self.note_missing(generation);
        }
    }

    /// Applies one part of a backlog that another worker has offered; then looks again at what is more urgent.
    fn help(&mut self, index: usize) {
        let tracked = self.tracked.get(index);
        let started = clock::now();
        background_worker::report_running(&format!("helping to refresh {}", tracked.info.name));
        tracked.progress().help(self.index, |part| {
            guarded(|| refresh::help(in_step::prepare, tracked.info.tview, part));
            leftovers::remove();
        });
        self.worked(started);
    }

    /// Refreshes the TVIEW at `index`, unless another worker is faster; gives up what takes longer than `limit`.
    fn refresh(&mut self, index: usize, limit: Option<Duration>) {
        if !self.tracked.holds_place(index) {
            self.generation = None;
            return;
        }
        let tracked = self.tracked.get(index);
        let progress = tracked.progress();
        if progress.parts.load(SeqCst) > 0 {
            return self.help(index);
        }
        let me = self.index as u32 + 1;
        if progress.runner.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
            return;
        }
        // Before any snapshot: all commits up to this tick will be visible.
        let tick = self.database.tick.load(SeqCst);
        let started = clock::now();
        progress.started_at.store(started, SeqCst);
        progress.dirty_since.store(0, SeqCst);
        self.tracked.announce_quiet(index);
        background_worker::report_running(&format!("refreshing {}", tracked.info.name));

        let team = tracked.shared_progress().map(|progress| Team {
            database: self.database,
            progress,
        });
        let team = team.as_ref().map(|team| team as &dyn refresh::Team);
        let failures = progress.failures.load(SeqCst);
        let outcome = guarded(|| refresh::run(in_step::prepare, tracked.info.tview, failures, team, limit));
        // It may have been cancelled while others were at work.
        progress.parts.store(0, SeqCst);

        leftovers::remove();
        self.worked(started);
        let now = self.worked_until;
        let tracked = self.tracked.get(index);
        let progress = tracked.progress();
        let (status, changes, taken) = outcome.map_or((Status::Failed, 0, 0), |outcome| {
            let taken = i64::try_from(outcome.duration.as_micros()).unwrap_or(i64::MAX);
            progress.retry_at.store(outcome.retry_at.unwrap_or(0), SeqCst);
            (outcome.status, outcome.changes, taken)
        });
        if matches!(status, Status::Failed | Status::Suspended) {
            // It has kept others waiting all the same.
            progress.expected.fetch_max(now - started, SeqCst);
        }
        let pause = match status {
            Status::UpToDate | Status::Comparing => {
                progress.failures.store(0, SeqCst);
                progress.comparing.store(status == Status::Comparing, SeqCst);
                // A first population has absorbed changes, too, without counting them.
                housekeeping::wanted(self.database, now);
                let duration = if changes > 0 {
                    let expected = schedule::expected(progress.expected.load(SeqCst), taken);
                    progress.expected.store(expected, SeqCst);
                    expected
                } else {
                    taken
                };
                progress.absorbed_tick.fetch_max(tick, SeqCst);
                match status {
                    Status::Comparing => 0,
                    _ => schedule::cooldown(tracked.max_latency, duration, self.load, changes),
                }
            }
            Status::TooLong => {
                let limit = limit.map_or(0, |limit| limit.as_micros() as i64);
                progress.expected.fetch_max(2 * limit, SeqCst);
                0
            }
            Status::Busy => {
                let times = progress.failures.fetch_add(1, SeqCst) + 1;
                schedule::busy_pause(progress.expected.load(SeqCst), times)
            }
            Status::Suspended => {
                let failures = progress.failures.fetch_add(1, SeqCst) + 1;
                schedule::backoff(SUSPENDED, failures, now % 1000)
            }
            Status::NotReady => NOT_READY,
            Status::Refused => {
                self.used = true;
                0
            }
            Status::Failed => {
                let failures = progress.failures.fetch_add(1, SeqCst) + 1;
                schedule::backoff(settings::retry_backoff().as_micros() as i64, failures, now % 1000)
            }
        };
        progress.finished_at.store(now, SeqCst);
        progress.not_before.store(now + pause, SeqCst);
        progress.runner.store(0, SeqCst);
        if !self.tracked.holds_place(index) {
            // The place went to another TVIEW meanwhile: that one has absorbed nothing of this.
            progress.forget();
            self.generation = None;
            return;
        }
        self.tracked.announce_quiet(index);
    }
}
