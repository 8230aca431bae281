//! One TVIEW, as a worker knows it: its definition as loaded, its progress as all workers share it.

use std::ops::Deref;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::schedule::gathering::{goes_on_until, Rested};
use super::schedule::{self, Candidate, Need};
use crate::catalog::{State, TviewInfo};
use crate::wake::database::Database;
use crate::wake::sources::Sources;
use crate::wake::tview::Tview;

/// The longest time for which writers wake no worker while a refresh runs.
const QUIET_RUN: i64 = 5_000_000;

/// Progress of a TVIEW: in shared memory, or, when that is full, this worker's own.
enum Progress {
    Shared(&'static Tview),
    Own(Box<Tview>),
}

impl Deref for Progress {
    type Target = Tview;

    fn deref(&self) -> &Tview {
        match self {
            Progress::Shared(tview) => tview,
            Progress::Own(tview) => tview,
        }
    }
}

/// One TVIEW.
pub struct Tracked {
    /// Its definition.
    pub info: TviewInfo,
    /// Its `pg_tviews.max_latency`, in microseconds.
    pub max_latency: i64,
    /// Where its sources note changes: indexes into the database's source places.
    pub(super) sources: Vec<usize>,
    progress: Progress,
}

impl Tracked {
    pub(super) fn new(oid: Oid, info: TviewInfo) -> Self {
        let sources = Sources::places_of(&info.sources, info.tview);
        let progress = match Tview::find_or_claim(oid, info.tview) {
            Some(tview) => Progress::Shared(tview),
            None => Progress::Own(Box::default()),
        };
        let max_latency = i64::try_from(info.max_latency.as_micros())
            .unwrap_or(i64::MAX / 4)
            .min(i64::MAX / 4);
        Self {
            info,
            max_latency,
            sources,
            progress,
        }
    }

    /// Progress, as all workers of the database see it.
    pub fn progress(&self) -> &Tview {
        &self.progress
    }

    /// Whether it is refreshed in one transaction with the others of its unit.
    pub(super) fn is_with_others(&self) -> bool {
        self.info.unit.is_some()
            && self.info.state == State::Active
            && matches!(self.progress, Progress::Shared(_))
            && !self.progress.alone.load(SeqCst)
            && !self.progress.comparing.load(SeqCst)
    }

    fn need(&self, database: &Database, now: i64) -> Need {
        let absorbed = self.progress.absorbed_tick.load(SeqCst);
        if self.progress.runner.load(SeqCst) != 0 {
            match self.progress.parts.load(SeqCst) {
                0 => Need::Running,
                _ => Need::Help,
            }
        } else if absorbed == 0
            || self.newest_tick(database) > absorbed
            || schedule::is_due(self.progress.retry_at.load(SeqCst), now)
        {
            Need::Refresh
        } else if self.progress.comparing.load(SeqCst) {
            Need::Compare
        } else if database.all_tick.load(SeqCst) > absorbed {
            Need::Look
        } else {
            Need::Nothing
        }
    }

    /// Where parts of its backlog can be offered to other workers.
    pub fn shared_progress(&self) -> Option<&'static Tview> {
        match self.progress {
            Progress::Shared(tview) => Some(tview),
            Progress::Own(_) => None,
        }
    }

    /// What the schedule needs to know now.
    pub(super) fn candidate(&self, database: &Database, now: i64) -> Candidate {
        let progress = self.progress();
        let need = self.need(database, now);
        let since = || {
            let (started, finished) = (
                progress.started_at.load(SeqCst),
                progress.finished_at.load(SeqCst),
            );
            schedule::dirty_since(now, started, finished, self.max_latency)
        };
        let set = |time: &AtomicI64| {
            if time.load(SeqCst) == 0 {
                let _ = time.compare_exchange(0, since(), SeqCst, SeqCst);
            }
        };
        match need {
            Need::Look => set(&progress.dirty_since),
            Need::Refresh | Need::Compare => {
                set(&progress.dirty_since);
                set(&progress.behind_since);
            }
            Need::Help | Need::Running | Need::Nothing => {}
        }
        Candidate {
            need,
            dirty_since: progress.dirty_since.load(SeqCst),
            not_before: progress.pause_end(),
            retry_at: progress.retry_at.load(SeqCst),
            expected: progress.expected.load(SeqCst),
            max_latency: self.max_latency,
            populating: self.info.state == State::Populating && !progress.comparing.load(SeqCst),
        }
    }

    /// Makes a pause that has just ended longer, if more changes should share the next refresh. Another worker
    /// may have been faster.
    pub(super) fn gathers(&self, database: &Database, now: i64) -> bool {
        let progress = self.progress();
        let candidate = self.candidate(database, now);
        if candidate.need != Need::Refresh
            // Sessions that wait could not end the pause.
            || self.shared_progress().is_none()
            || progress.awaited.load(SeqCst)
            || progress.failures.load(SeqCst) > 0
            || progress.comparing.load(SeqCst)
            || schedule::is_due(progress.retry_at.load(SeqCst), now)
        {
            return false;
        }
        let newest = self.newest_tick(database);
        let gathered = progress.gathered_tick.load(SeqCst);
        let rested = Rested {
            not_before: candidate.not_before,
            finished_at: progress.finished_at.load(SeqCst),
            dirty_since: candidate.dirty_since,
            expected: candidate.expected,
            max_latency: candidate.max_latency,
            delayed: f64::from(progress.delayed.load(SeqCst)) / 1000.0,
            commits: newest.saturating_sub(gathered),
        };
        let Some(until) = goes_on_until(now, &rested) else {
            return false;
        };
        if progress
            .not_before
            .compare_exchange(candidate.not_before, until, SeqCst, SeqCst)
            .is_ok()
        {
            progress.gathered_tick.store(newest, SeqCst);
        }
        true
    }

    /// A refresh that began at `started`, and showed all commits up to `tick`, has brought it up to date.
    pub fn note_shown(&self, database: &Database, tick: u64, started: i64) {
        let shows_all = self.newest_tick(database) <= tick;
        let since = if shows_all { 0 } else { started };
        self.progress.behind_since.store(since, SeqCst);
    }

    /// From when on writers of its sources are delayed, and the lag of that time; a time of 0 if it is not behind.
    /// None: never. The lag is the `throttle_lag`, or the bound if that is longer: nobody is delayed for a TVIEW that
    /// is on time.
    pub fn throttles_from(&self) -> Option<(i64, i64)> {
        let lag = self
            .info
            .throttle_lag
            .filter(|_| self.info.state == State::Active)?;
        let lag = i64::try_from(lag.as_micros())
            .unwrap_or(i64::MAX / 4)
            .min(i64::MAX / 4)
            .max(self.max_latency);
        let since = self.progress.behind_since.load(SeqCst);
        Some((if since == 0 { 0 } else { since + lag }, lag))
    }

    /// The tick of the newest commit that changed one of its sources.
    fn newest_tick(&self, database: &Database) -> u64 {
        let newest = |index: &usize| database.sources.at(*index).last_tick.load(SeqCst);
        self.sources.iter().map(newest).max().unwrap_or(0)
    }

    /// Whether there is nothing to do until a source or the definition changes. Without a shared place only
    /// this worker would know.
    pub(super) fn is_at_rest(&self, database: &Database, now: i64) -> bool {
        matches!(self.progress, Progress::Shared(_)) && self.candidate(database, now).is_at_rest(now)
    }

    /// Until when writers need to wake no worker for it. The worker that refreshes it checks again
    /// afterwards, and workers that sleep wake at the end of a pause. Without a shared place other workers do
    /// not know of the pause.
    pub(super) fn quiet_until(&self) -> i64 {
        let progress = self.progress();
        match self.progress {
            Progress::Own(_) => 0,
            Progress::Shared(_) if progress.runner.load(SeqCst) != 0 => {
                let allowance = progress
                    .expected
                    .load(SeqCst)
                    .saturating_mul(10)
                    .clamp(50_000, QUIET_RUN);
                progress.started_at.load(SeqCst) + allowance
            }
            Progress::Shared(_) => progress.not_before.load(SeqCst),
        }
    }

    /// Whether the place has not been given to another TVIEW.
    pub(super) fn holds_place(&self, database: &Database) -> bool {
        matches!(self.progress, Progress::Own(_))
            || database
                .oid()
                .is_some_and(|oid| self.progress.is(oid, self.info.tview))
    }
}
