//! What the outcome of a refresh means for the next one of the same TVIEW.

use super::averages;
use super::retry::{backoff, busy_pause, NOT_READY, SUSPENDED};
use crate::refresh::Status;

/// A refresh that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub status: Status,
    /// How many changes it has absorbed.
    pub changes: u64,
    /// How long applying them took.
    pub duration: i64,
    /// How long the worker was busy with it.
    pub elapsed: i64,
    /// How long it was allowed to take; 0: without limit.
    pub limit: i64,
    /// The bound of the TVIEW.
    pub max_latency: i64,
    /// The share of its time that the worker spends on refreshes.
    pub load: f64,
    /// The first pause after a failure: `pg_tviews.retry_backoff`.
    pub retry_backoff: i64,
    /// Spreads the retries of TVIEWs that failed together: 0 to 999.
    pub chance: i64,
}

/// What is remembered of a TVIEW's refreshes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct History {
    /// How long a refresh takes.
    pub expected: i64,
    /// Attempts in a row that did not succeed.
    pub failures: u32,
}

/// The pause before the next refresh, and the history with this one.
pub fn after(before: History, ended: &Ended) -> (i64, History) {
    let mut history = before;
    let pause = match ended.status {
        Status::UpToDate | Status::Comparing => {
            history.failures = 0;
            let mut duration = ended.duration;
            if ended.changes > 0 {
                history.expected = averages::expected(before.expected, duration);
                duration = history.expected;
            }
            match ended.status {
                Status::Comparing => 0,
                _ => cooldown(ended.max_latency, duration, ended.load, ended.changes),
            }
        }
        Status::TooLong => {
            history.expected = before.expected.max(2 * ended.limit);
            0
        }
        Status::Busy => {
            history.failures += 1;
            busy_pause(history.expected, history.failures)
        }
        Status::Suspended | Status::Failed => {
            history.failures += 1;
            // A refresh that fails keeps other TVIEWs waiting, too.
            history.expected = before.expected.max(ended.elapsed);
            let first = match ended.status {
                Status::Suspended => SUSPENDED,
                _ => ended.retry_backoff,
            };
            backoff(first, history.failures, ended.chance)
        }
        Status::NotReady => NOT_READY,
        Status::Refused | Status::Regrouped => 0,
    };
    (pause, history)
}

/// How long a TVIEW that was just refreshed waits for more changes to share the next refresh. In proportion
/// to what a refresh costs, at most two fifths of its bound.
///
/// Longer where the worker is busy (`load`): shared work leaves CPU to writers. Longer also after a refresh
/// that absorbed several `changes`: as many more are on their way.
pub(super) fn cooldown(max_latency: i64, duration: i64, load: f64, changes: u64) -> i64 {
    let gathered = changes.clamp(1, 8) - 1;
    let times = 4.0 + 0.5 * gathered as f64 + 50.0 * (load - 0.2).clamp(0.0, 1.0);
    (max_latency * 2 / 5).min((duration as f64 * times) as i64)
}
