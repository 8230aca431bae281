//! A worker refreshes one TVIEW, or helps another worker to do so, and notes what that means for the
//! schedule.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::Refresher;
use crate::define::in_step;
use crate::postgres::process::{background_worker, clock, leftovers};
use crate::postgres::transaction::worker_transaction::guarded;
use crate::refresh::{self, Outcome, Status};
use crate::settings;
use crate::wake::worker::{LEAVE_IF_IDLE, STAY};
use crate::worker::housekeeping::queue_trimmer;
use crate::worker::schedule::after_refresh::{after, Ended, History};
use crate::worker::schedule::averages;
use crate::worker::team::Team;

impl Refresher {
    /// Refreshes the TVIEW at `index`, if that is not long, or this worker may do something long. `more`:
    /// other TVIEWs are due besides.
    pub(super) fn start_refresh(&mut self, index: usize, more: bool, now: i64) {
        let long = self.tracked.is_long(index, now);
        let may_be_long = long || self.tracked.is_unknown(index, now);
        let granted = may_be_long && self.database.workers.begin_long(self.index);
        if long && !granted {
            return;
        }
        // Of what turns out to be long, only as much is done as other TVIEWs can wait for.
        let limit = if granted || self.database.workers.running().count() < 2 {
            None
        } else {
            self.tracked.limit(index, now)
        };
        self.work(|refresher| {
            if (more || long) && !refresher.database.workers.wake_one() {
                refresher.ask_for_more(now);
            }
            refresher.refresh(index, limit);
        });
        self.database.workers.end_long(self.index);
    }

    /// Refreshes the TVIEW at `index`, unless another worker is faster; gives up what takes longer than
    /// `limit`.
    fn refresh(&mut self, index: usize, limit: Option<Duration>) {
        if !self.tracked.holds_place(index) {
            self.generation = None;
            return;
        }
        let tracked = self.tracked.get(index);
        if tracked.info.unit.is_some() {
            let unit = self.tracked.unit(index);
            if unit.len() > 1 {
                return self.refresh_together(&unit, limit);
            }
        }
        let progress = tracked.progress();
        if progress.parts.load(SeqCst) > 0 {
            return self.help(index);
        }
        let me = self.index as u32 + 1;
        if progress.runner.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
            return;
        }
        // Read before any snapshot is taken: all commits up to this tick will be visible.
        let tick = self.database.tick.load(SeqCst);
        let delay = self.run_delay.so_far();
        let started = clock::now();
        progress.begin(started, tick);
        self.tracked.announce_quiet(index);
        background_worker::report_running(&format!("refreshing {}", tracked.info.name));

        let team = tracked.shared_progress().map(|progress| Team {
            database: self.database,
            progress,
        });
        let team = team.as_ref().map(|team| team as &dyn refresh::Team);
        let failures = progress.failures.load(SeqCst);
        let outcome = guarded(|| refresh::run(in_step::prepare, &tracked.info, failures, team, limit));
        // It may have been cancelled while other workers applied parts.
        progress.parts.store(0, SeqCst);

        leftovers::remove();
        self.worked(started);
        self.note_delay(index, delay, self.worked_until - started);
        self.note(index, outcome, tick, started, limit);
    }

    /// Notes how long the worker waited for a CPU during a refresh of the TVIEW at `index`, and before that since
    /// it was woken. A short refresh is rarely interrupted. `begin`: what was counted when the refresh began;
    /// `elapsed`: since then.
    pub(super) fn note_delay(&mut self, index: usize, begin: i64, elapsed: i64) {
        let (before, now) = (self.delay_then, self.run_delay.so_far());
        self.tracked
            .note_delay(index, now - before, begin - before + elapsed);
        self.delay_then = now;
    }

    /// Notes in the progress of the TVIEW at `index` what came of its refresh, and ends the refresh. None: it
    /// failed in a way that left no outcome. `tick`: all commits up to this were visible.
    pub(super) fn note(
        &mut self,
        index: usize,
        outcome: Option<Outcome>,
        tick: u64,
        started: i64,
        limit: Option<Duration>,
    ) {
        let now = self.worked_until;
        let tracked = self.tracked.get(index);
        let progress = tracked.progress();
        let mut ended = Ended {
            status: Status::Failed,
            changes: 0,
            duration: 0,
            elapsed: now - started,
            limit: limit.map_or(0, |limit| limit.as_micros() as i64),
            max_latency: tracked.max_latency,
            load: self.load,
            retry_backoff: settings::retry_backoff().as_micros() as i64,
            chance: now % 1000,
        };
        if let Some(outcome) = outcome {
            progress.retry_at.store(outcome.retry_at.unwrap_or(0), SeqCst);
            ended.status = outcome.status;
            ended.changes = outcome.changes;
            ended.duration = i64::try_from(outcome.duration.as_micros()).unwrap_or(i64::MAX);
        }
        let before = History {
            expected: progress.expected.load(SeqCst),
            failures: progress.failures.load(SeqCst),
        };
        let (pause, history) = after(before, &ended);
        progress.expected.store(history.expected, SeqCst);
        progress.failures.store(history.failures, SeqCst);
        match ended.status {
            Status::UpToDate | Status::Comparing => {
                progress
                    .comparing
                    .store(ended.status == Status::Comparing, SeqCst);
                // A first population has absorbed changes, too, without counting them.
                queue_trimmer::request_soon(self.database, now);
                progress.absorbed_tick.fetch_max(tick, SeqCst);
                if ended.status == Status::UpToDate {
                    tracked.note_shown(self.database, tick, started);
                    progress.alone.store(false, SeqCst);
                }
            }
            Status::Refused => self.used = true,
            Status::Regrouped => self.generation = None,
            _ => {}
        }
        self.end(index, now + pause);
    }

    /// Ends the refresh of the TVIEW at `index`. The next one begins at `next_at` at the earliest.
    pub(super) fn end(&mut self, index: usize, next_at: i64) {
        let progress = self.tracked.get(index).progress();
        progress.finished_at.store(self.worked_until, SeqCst);
        progress.paused_until.store(next_at, SeqCst);
        progress.not_before.store(next_at, SeqCst);
        progress.runner.store(0, SeqCst);
        if !self.tracked.holds_place(index) {
            // The place went to another TVIEW meanwhile: that one has absorbed nothing of this.
            progress.forget();
            self.generation = None;
            return;
        }
        self.tracked.announce_quiet(index);
        self.tracked.announce_lateness(index);
    }

    /// Applies one part of a backlog that another worker has offered. Only one: something more urgent may be
    /// due then.
    fn help(&mut self, index: usize) {
        let tracked = self.tracked.get(index);
        let started = clock::now();
        background_worker::report_running(&format!("helping to refresh {}", tracked.info.name));
        let progress = tracked.progress();
        progress.help(self.index, |part| {
            let since = progress.changed_at.load(SeqCst);
            guarded(|| refresh::help(in_step::prepare, tracked.info.tview, part, since));
            leftovers::remove();
        });
        self.worked(started);
    }

    /// Something has been refreshed since `started`. A launcher that wanted the slot of an idle worker takes
    /// another one's.
    pub(super) fn worked(&mut self, started: i64) {
        let now = clock::now();
        self.load = averages::load(self.load, started - self.worked_until, now - started);
        self.worked_until = now;
        let worker = self.worker();
        worker.worked_at.store(now, SeqCst);
        let _ = worker.asked.compare_exchange(LEAVE_IF_IDLE, STAY, SeqCst, SeqCst);
    }
}
