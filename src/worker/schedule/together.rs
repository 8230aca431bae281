//! What the schedule knows of several TVIEWs that are refreshed in one transaction: the most urgent of them decides.

use super::candidate::{Candidate, Need};

/// The TVIEWs as one; None without any.
pub fn together(candidates: &[Candidate]) -> Option<Candidate> {
    let need = need(candidates);
    // Those with nothing to do decide only if all have nothing to do.
    let is_meant = |candidate: &&Candidate| !need.is_work() || candidate.need.is_work();
    let meant = || candidates.iter().filter(is_meant);
    let deadline = |candidate: &&Candidate| candidate.dirty_since.saturating_add(candidate.max_latency);
    let urgent = meant().min_by_key(deadline)?;
    let retries = candidates.iter().map(|candidate| candidate.retry_at);
    Some(Candidate {
        need,
        dirty_since: urgent.dirty_since,
        not_before: meant().map(|candidate| candidate.not_before).min().unwrap_or(0),
        retry_at: retries.filter(|at| *at != 0).min().unwrap_or(0),
        expected: candidates
            .iter()
            .map(|candidate| candidate.expected)
            .max()
            .unwrap_or(0),
        max_latency: urgent.max_latency,
        populating: candidates.iter().any(|candidate| candidate.populating),
    })
}

fn need(candidates: &[Candidate]) -> Need {
    let any = |need| candidates.iter().any(|candidate| candidate.need == need);
    if any(Need::Running) || any(Need::Help) {
        Need::Running
    } else if any(Need::Refresh) || any(Need::Compare) {
        Need::Refresh
    } else if any(Need::Look) {
        Need::Look
    } else {
        Need::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Candidate = Candidate {
        need: Need::Nothing,
        dirty_since: 0,
        not_before: 70,
        retry_at: 0,
        expected: 3,
        max_latency: 100,
        populating: false,
    };

    const DIRTY: Candidate = Candidate {
        need: Need::Refresh,
        dirty_since: 1000,
        not_before: 90,
        retry_at: 0,
        expected: 2,
        max_latency: 500,
        populating: false,
    };

    #[test]
    fn the_most_urgent_decides() {
        let urgent = Candidate {
            dirty_since: 1100,
            not_before: 95,
            max_latency: 200,
            retry_at: 5000,
            ..DIRTY
        };
        let one = together(&[IDLE, DIRTY, urgent]).unwrap();
        assert_eq!(one.need, Need::Refresh);
        assert_eq!((one.dirty_since, one.max_latency), (1100, 200));
        assert_eq!((one.not_before, one.expected, one.retry_at), (90, 3, 5000));
    }

    #[test]
    fn nobody_begins_while_one_is_being_refreshed() {
        let running = Candidate {
            need: Need::Running,
            ..DIRTY
        };
        assert_eq!(together(&[DIRTY, running]).unwrap().need, Need::Running);
    }

    #[test]
    fn nothing_to_do_for_any_is_nothing_to_do() {
        let one = together(&[IDLE, IDLE]).unwrap();
        assert_eq!((one.need, one.not_before), (Need::Nothing, 70));
        let look = Candidate {
            need: Need::Look,
            ..DIRTY
        };
        assert_eq!(together(&[IDLE, look]).unwrap().need, Need::Look);
        assert!(together(&[]).is_none());
    }
}
