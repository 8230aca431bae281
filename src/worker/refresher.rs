//! A worker: refreshes what is due, keeps house when nothing is, sleeps without a transaction.

mod definitions;
mod refresh;
mod together;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::forced_settings::FORCED_SETTINGS;
use super::growth::Growth;
use super::housekeeping::{self, queue_trimmer};
use super::place::{leave_in_order, Place};
use super::queue_poll::{QueuePoll, PAUSE};
use super::schedule::Next;
use super::tracked_set::TrackedSet;
use crate::postgres::permit;
use crate::postgres::process::run_delay::RunDelay;
use crate::postgres::process::{self, background_worker, clock, latch};
use crate::postgres::transaction::worker_transaction::{guarded, report_statistics, short_transaction};
use crate::refresh::feed::notify;
use crate::settings;
use crate::wake::database::{Database, VISIT};
use crate::wake::launcher;
use crate::wake::worker::{Worker, LEAVE, LEAVE_IF_IDLE};

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
    background_worker::return_to_own_role();
    for (name, value) in FORCED_SETTINGS {
        background_worker::force_setting(name, value);
    }
    background_worker::keep_transaction_timeout();
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
    run_delay: RunDelay,
    /// How long it had waited for a CPU when it last went to sleep, or when the last refresh ended.
    delay_then: i64,
    queue_poll: QueuePoll,
    growth: Growth,
    /// Another process is to start in its place: it met a TVIEW that needs one, or has grown too much.
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
            run_delay: RunDelay::default(),
            delay_then: 0,
            queue_poll: QueuePoll::default(),
            growth: Growth::default(),
            used: false,
        })
    }

    fn worker(&self) -> &'static Worker {
        &self.database.workers[self.index]
    }

    fn should_leave(&self) -> bool {
        self.database.blockers.any()
            || self.database.excluded.load(SeqCst)
            || self.database.missing().is_some()
            || self.index >= settings::workers()
            || self.worker().asked.load(SeqCst) == LEAVE
    }

    /// One decision. The order loses no wake: announce the sleep, clear the latch, check, and only then
    /// sleep.
    fn step(&mut self) -> Step {
        if settings::enabled() {
            self.database.workers.mark_idle(self.index);
        }
        latch::reset();
        let tick = self.database.tick.load(SeqCst);
        process::reload_settings_if_asked();
        if self.used || self.should_leave() {
            return Step::Leave;
        }
        self.worker().off.store(!settings::enabled(), SeqCst);
        if !settings::enabled() {
            self.database.workers.mark_absent(self.index);
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
        if self.queue_poll.is_urgent(poll_at) {
            self.work(|refresher| refresher.poll(poll_at, now));
            return Step::Continue;
        }
        if notify::due_at().is_some_and(|at| at <= now) {
            self.work(|_| short_transaction(|| notify::send(now)));
            return Step::Continue;
        }
        let only_short = !self.database.workers.may_take_long(self.index);
        let until = match self.tracked.next(now, only_short, self.generation) {
            Next::Refresh { index, more } => {
                if !self.tracked.gathers(index, now) {
                    self.start_refresh(index, more, now);
                }
                return Step::Continue;
            }
            Next::Sleep { until } => until,
        };
        let Some(house_at) = self.keep_house(only_short, now) else {
            return Step::Continue;
        };
        // A clock that was set back must not postpone the poll for long.
        let poll_at = poll_at.min(now + PAUSE);
        if poll_at <= now {
            self.work(|refresher| refresher.poll(poll_at, now));
            return Step::Continue;
        }
        let alarms = until.into_iter().chain(reload_at).chain(notify::due_at());
        if self.worker().asked.load(SeqCst) == LEAVE_IF_IDLE && notify::due_at().is_none() {
            return self.leave_at_rest(tick, now, alarms);
        }
        self.sleep(now, alarms.fold(house_at.min(poll_at), i64::min));
        Step::Continue
    }

    /// Does housekeeping if it is due, and returns when to check again. None: there is something else to do
    /// first.
    fn keep_house(&mut self, only_short: bool, now: i64) -> Option<i64> {
        let due_at = housekeeping::due_at(self.database);
        if due_at > now {
            return Some(due_at);
        }
        let bound = self.tracked.least_bound();
        if self.work(|refresher| housekeeping::run(refresher.database, refresher.index, now, bound)) {
            return None;
        }
        // Another worker is keeping house, and will continue.
        self.database.workers.mark_idle(self.index);
        let next = self.tracked.next(now, only_short, self.generation);
        matches!(next, Next::Sleep { .. }).then_some(now + PAUSE)
    }

    /// Leaves, as the launcher has asked, and says when this database needs a worker again.
    fn leave_at_rest(&self, tick: u64, now: i64, alarms: impl Iterator<Item = i64>) -> Step {
        // No worker should have to start again for that alone.
        if queue_trimmer::bring_forward(self.database, now) {
            return Step::Continue;
        }
        let trim_at = queue_trimmer::due_at(self.database);
        let visit_at = alarms.chain(trim_at).fold(now + VISIT, i64::min);
        self.database.rest(tick, visit_at);
        Step::Leave
    }

    fn sleep(&mut self, now: i64, until: i64) {
        let mut wake_at = until;
        if let Some(later) = report_statistics() {
            wake_at = wake_at.min(now + later.as_micros() as i64);
        }
        if notify::due_at().is_none() && self.growth.is_too_much(now, self.worked_until) {
            self.used = true;
            return;
        }
        self.database.end_overload();
        self.delay_then = self.run_delay.so_far();
        latch::wait_idle(Duration::from_micros((wake_at - now).max(0) as u64), false);
    }

    /// Does something that takes time: commits meanwhile wake another worker.
    fn work<R>(&mut self, something: impl FnOnce(&mut Self) -> R) -> R {
        self.database.workers.mark_busy(self.index);
        let worker = self.worker();
        worker.busy.store(true, SeqCst);
        let result = something(self);
        worker.busy.store(false, SeqCst);
        background_worker::report_idle();
        result
    }

    /// There is work for one more worker than run.
    fn ask_for_more(&self, now: i64) {
        let has_all = self.database.workers.running().count() >= settings::workers();
        if !has_all && self.database.note_overload(now) {
            launcher::wake();
        }
    }

    /// Polls the queue for changes that no session has announced.
    fn poll(&mut self, poll_at: i64, now: i64) {
        let generation = self.database.generation.load(SeqCst);
        let tracked = &self.tracked;
        let sources = || tracked.source_oids();
        if !self.queue_poll.poll(self.database, sources, poll_at, now) {
            self.note_missing(generation);
        }
    }
}
