//! The decision of a worker: which TVIEW now, or how long to sleep.

use super::candidate::{is_paused, Candidate, Need};
use super::long::{is_long, spared_at, LONG};

/// TVIEWs that are only checked come after those known to be behind; there may be thousands of them.
const JUST_LOOKING: i64 = 5_000_000;
/// A comparison of all rows gives way to changes.
const COMPARING: i64 = 1_000_000;
/// A worker helps another one only if it has nothing else to do.
const HELPING: i64 = 3_600_000_000;

/// What a worker should do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Refresh the candidate at this index; `more` are due besides.
    Refresh {
        /// Index among the candidates.
        index: usize,
        /// Another worker would find something to do, too.
        more: bool,
    },
    /// Nothing is due before this time, or until the worker is woken.
    Sleep {
        /// The end of the first pause.
        until: Option<i64>,
    },
}

/// The candidate with the least slack. Refreshes that take longer than `longest` are left to other workers.
/// The end of a pause is also awaited where nothing is known to be pending: writers wake no worker during it.
pub fn next(now: i64, longest: i64, candidates: impl Iterator<Item = (usize, Candidate)>) -> Next {
    let mut first: Option<(i64, usize)> = None;
    let mut due = 0;
    let mut until: Option<i64> = None;
    let mut alarm = |at: i64| until = Some(until.map_or(at, |until: i64| until.min(at)));
    for (index, candidate) in candidates {
        if candidate.need != Need::Help && is_paused(candidate.not_before, now) {
            alarm(candidate.not_before);
        } else if candidate.need == Need::Nothing && candidate.retry_at > now {
            alarm(candidate.retry_at);
        } else if candidate.need.is_work() && is_long(now, &candidate, longest) {
            if candidate.expected <= LONG {
                alarm(spared_at(&candidate).max(now + 1));
            }
        } else if candidate.need.is_work() {
            due += 1;
            let slack = slack(&candidate);
            if first.is_none_or(|(least, _)| slack < least) {
                first = Some((slack, index));
            }
        }
    }
    match first {
        Some((_, index)) => Next::Refresh { index, more: due > 1 },
        None => Next::Sleep { until },
    }
}

/// When a refresh has to start for the bound to be kept, later for what is less urgent.
fn slack(candidate: &Candidate) -> i64 {
    let extra = match candidate.need {
        Need::Look => JUST_LOOKING,
        Need::Compare => COMPARING,
        Need::Help => HELPING,
        Need::Nothing | Need::Running | Need::Refresh => 0,
    };
    candidate.dirty_since.saturating_add(candidate.max_latency) - candidate.expected + extra
}
