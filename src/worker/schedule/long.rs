//! Long refreshes. Some workers are kept free of them, for the TVIEWs that are quick and due soon.

use super::candidate::{Candidate, Need};

/// A refresh that takes longer keeps other TVIEWs waiting, even those that do not keep their bounds.
pub(super) const LONG: i64 = 1_000_000;

/// How long a refresh may take without delaying other TVIEWs: half the bound of those that keep it easily, a
/// second for those that do not keep it but are quick.
pub fn harmless(candidates: impl Iterator<Item = Candidate>) -> i64 {
    let bound = |candidate: Candidate| {
        let half = candidate.max_latency / 2;
        if candidate.populating {
            None
        } else if candidate.expected <= half && candidate.expected > 0 {
            Some(half)
        } else {
            (candidate.expected <= LONG).then_some(LONG)
        }
    };
    candidates.filter_map(bound).min().unwrap_or(i64::MAX)
}

/// How long a refresh that is not expected to be long may take before it counts as long. None: there is no
/// TVIEW that it could delay.
pub fn limit(candidate: &Candidate, longest: i64) -> Option<i64> {
    (longest < i64::MAX).then(|| LONG.max(longest).max(candidate.expected.saturating_mul(4)))
}

/// Whether it is unknown how long a refresh takes.
pub fn is_unknown(candidate: &Candidate) -> bool {
    matches!(candidate.need, Need::Look | Need::Refresh) && candidate.expected == 0
}

/// When a TVIEW is so late that longer refreshes no longer keep it waiting.
pub(super) fn spared_at(candidate: &Candidate) -> i64 {
    candidate.dirty_since.saturating_add(candidate.max_latency) + LONG
}

/// Whether a refresh takes longer than `longest`. Parts of a backlog and batches of a comparison are small. A
/// TVIEW that has been late for long is not kept waiting any more by longer refreshes.
pub fn is_long(now: i64, candidate: &Candidate, longest: i64) -> bool {
    let spared = matches!(candidate.need, Need::Help | Need::Compare)
        || (!candidate.populating && candidate.expected <= LONG && now >= spared_at(candidate));
    !spared && (candidate.expected > longest || (candidate.populating && longest < i64::MAX))
}
