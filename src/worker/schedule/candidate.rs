//! What the schedule knows of one TVIEW.

/// The longest pause before a refresh. A pause that seems longer is over: the clock was set back.
const LONGEST_PAUSE: i64 = 61_000_000;

/// One TVIEW.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What there is to do.
    pub need: Need,
    /// When that was first noticed.
    pub dirty_since: i64,
    /// When its cooldown or its pause after a failure ends.
    pub not_before: i64,
    /// When something that failed is to be tried again; 0: nothing is.
    pub retry_at: i64,
    /// How long its refresh is expected to take.
    pub expected: i64,
    /// From commit to visible, at most.
    pub max_latency: i64,
    /// It is its first population: how long that takes is unknown.
    pub populating: bool,
}

/// What there is to do for a TVIEW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Another worker refreshes it.
    Running,
    /// No change is known to be pending, but its sources should be checked.
    Look,
    /// A source changed.
    Refresh,
    /// All its rows are being compared: the next batch.
    Compare,
    /// The worker that refreshes it has more than it can do alone.
    Help,
}

impl Need {
    /// Whether there is something for this worker.
    pub(super) fn is_work(self) -> bool {
        matches!(self, Need::Look | Need::Refresh | Need::Compare | Need::Help)
    }
}

impl Candidate {
    /// Whether there is nothing to do until a source or the definition changes.
    pub fn is_at_rest(&self, now: i64) -> bool {
        self.need == Need::Nothing && self.retry_at == 0 && !is_paused(self.not_before, now)
    }
}

/// Whether something that was to be tried again at `retry_at` (0: nothing was) is due.
pub fn is_due(retry_at: i64, now: i64) -> bool {
    retry_at != 0 && retry_at <= now
}

/// Whether a pause that ends at `not_before` is still on.
pub(super) fn is_paused(not_before: i64, now: i64) -> bool {
    now < not_before && not_before - now <= LONGEST_PAUSE
}

/// When pending changes noticed at `now` may have begun. During a refresh and its cooldown no worker checks,
/// so they may be as old as the last refresh.
pub fn dirty_since(now: i64, started_at: i64, finished_at: i64, max_latency: i64) -> i64 {
    if finished_at <= now && now - finished_at < max_latency {
        started_at.max(now - max_latency)
    } else {
        now
    }
}
