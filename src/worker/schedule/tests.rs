//! Decisions of a worker, by candidates and outcomes.

use super::after_refresh::{after, cooldown, Ended, History};
use super::averages::{expected, load};
use super::candidate::{dirty_since, is_due, is_paused, Candidate, Need};
use super::long::{harmless, is_long, is_unknown, limit};
use super::next::{next, Next};
use super::retry::{backoff, busy_pause};
use crate::refresh::Status;
use crate::wake::quiet::is_quiet;

const MS: i64 = 1000;
const NOW: i64 = 1_000_000_000;

fn dirty(dirty_since: i64, expected: i64, max_latency: i64) -> Candidate {
    Candidate {
        need: Need::Refresh,
        dirty_since,
        not_before: 0,
        retry_at: 0,
        expected,
        max_latency,
        populating: false,
    }
}

fn run(candidates: &[Candidate]) -> Next {
    next(NOW, i64::MAX, candidates.iter().copied().enumerate())
}

#[test]
fn nothing_to_do_sleeps_until_woken() {
    assert_eq!(run(&[]), Next::Sleep { until: None });
    assert_eq!(
        run(&[Candidate {
            need: Need::Nothing,
            ..dirty(0, 0, MS)
        }]),
        Next::Sleep { until: None }
    );
}

#[test]
fn the_least_slack_goes_first() {
    let relaxed = dirty(NOW - 100 * MS, MS, 1000 * MS);
    let tight = dirty(NOW - 10 * MS, MS, 100 * MS);
    assert_eq!(run(&[relaxed, tight]), Next::Refresh { index: 1, more: true });
    // The same bound, but one takes so long that it has to start now.
    let slow = dirty(NOW - 10 * MS, 90 * MS, 100 * MS);
    assert_eq!(run(&[tight, slow]), Next::Refresh { index: 1, more: true });
    assert_eq!(
        run(&[tight]),
        Next::Refresh {
            index: 0,
            more: false
        }
    );
}

#[test]
fn a_look_waits_behind_known_changes() {
    let look = Candidate {
        need: Need::Look,
        ..dirty(NOW - 500 * MS, MS, 250 * MS)
    };
    assert_eq!(
        run(&[look, dirty(NOW, MS, 250 * MS)]),
        Next::Refresh { index: 1, more: true }
    );
    assert_eq!(
        run(&[look]),
        Next::Refresh {
            index: 0,
            more: false
        }
    );
}

#[test]
fn pauses_end_at_the_earliest() {
    let cooling = Candidate {
        not_before: NOW + 50 * MS,
        ..dirty(NOW, MS, 250 * MS)
    };
    let clean = Candidate {
        need: Need::Nothing,
        not_before: NOW + 20 * MS,
        ..cooling
    };
    assert_eq!(
        run(&[cooling, clean]),
        Next::Sleep {
            until: Some(NOW + 20 * MS)
        }
    );
    // Something else is due: the pause does not hold it up.
    assert_eq!(
        run(&[cooling, dirty(NOW, MS, MS)]),
        Next::Refresh {
            index: 1,
            more: false
        }
    );
}

#[test]
fn what_failed_is_tried_again_when_its_time_comes() {
    let waiting = Candidate {
        need: Need::Nothing,
        retry_at: NOW + 30 * MS,
        ..dirty(0, 0, MS)
    };
    assert_eq!(
        run(&[waiting]),
        Next::Sleep {
            until: Some(NOW + 30 * MS)
        }
    );
    assert!(is_due(NOW, NOW) && !is_due(NOW + MS, NOW) && !is_due(0, NOW));
}

#[test]
fn a_clock_set_back_ends_pauses_and_quiet() {
    assert!(is_paused(NOW + MS, NOW) && !is_paused(NOW, NOW));
    assert!(!is_paused(NOW + 3600 * 1000 * MS, NOW));
    assert!(is_quiet(NOW + MS, NOW) && !is_quiet(NOW + 3600 * 1000 * MS, NOW));
}

#[test]
fn helping_comes_last_and_waits_for_no_pause() {
    let help = Candidate {
        need: Need::Help,
        not_before: NOW + MS,
        ..dirty(NOW - 1000 * MS, 900 * MS, 100 * MS)
    };
    let relaxed = dirty(NOW, MS, 60_000 * MS);
    assert_eq!(run(&[help, relaxed]), Next::Refresh { index: 1, more: true });
    assert_eq!(
        run(&[help]),
        Next::Refresh {
            index: 0,
            more: false
        }
    );
}

#[test]
fn what_takes_long_is_left_to_others() {
    let quick = dirty(NOW, MS, 100 * MS);
    let slow = dirty(NOW - 1000 * MS, 900 * MS, 1000 * MS);
    let new = Candidate {
        populating: true,
        ..dirty(NOW - 1000 * MS, 0, 250 * MS)
    };
    let all = [slow, quick, new];
    let longest = harmless(all.iter().copied());
    assert_eq!(longest, 50 * MS);
    assert_eq!(
        next(NOW, longest, all.iter().copied().enumerate()),
        Next::Refresh {
            index: 1,
            more: false
        }
    );
    let long: Vec<bool> = all
        .iter()
        .map(|candidate| is_long(NOW, candidate, longest))
        .collect();
    assert_eq!(long, [true, false, true]);
    // Those that do not keep their bounds wait no longer for it than a second.
    let behind = dirty(NOW, 2 * MS, MS);
    let longest = harmless([slow, new, behind].into_iter());
    assert_eq!(longest, 1000 * MS);
    // Nor longer than that for what is longer still.
    assert!(is_long(NOW, &behind, MS) && !is_long(NOW + 1100 * MS, &behind, MS));
    // Where all take long, there is no quick TVIEW to be kept waiting.
    let hog = dirty(NOW, 25_000 * MS, 100 * MS);
    assert!(is_long(NOW, &hog, longest) && !is_long(NOW, &slow, longest));
    let nobody = harmless([hog, new].into_iter());
    assert!(!is_long(NOW, &hog, nobody) && !is_long(NOW, &new, nobody));
    assert_eq!(limit(&hog, nobody), None);
}

#[test]
fn what_nobody_expects_to_be_long_has_a_limit() {
    let longest = 125 * MS;
    let limit = |expected| limit(&dirty(NOW, expected, 250 * MS), longest);
    assert_eq!(
        [limit(0), limit(2 * MS), limit(400 * MS)],
        [Some(1000 * MS), Some(1000 * MS), Some(1600 * MS)]
    );
    assert!(is_unknown(&dirty(NOW, 0, 250 * MS)) && !is_unknown(&dirty(NOW, MS, 250 * MS)));
}

#[test]
fn cooldown_is_a_part_of_the_bound() {
    assert_eq!(cooldown(250 * MS, 2 * MS, 0.1, 1), 8 * MS);
    assert_eq!(cooldown(250 * MS, 500 * MS, 0.1, 1), 100 * MS);
    assert_eq!(
        cooldown(i64::MAX / 4, i64::MAX, 1.0, u64::MAX),
        i64::MAX / 4 * 2 / 5
    );
    // What comes one by one is not made to wait for company.
    assert_eq!(cooldown(250 * MS, 2 * MS, 0.1, 0), 8 * MS);
    assert!(cooldown(250 * MS, 2 * MS, 0.1, 8) > 12 * MS);
    assert_eq!(
        cooldown(250 * MS, 2 * MS, 0.1, 8),
        cooldown(250 * MS, 2 * MS, 0.1, 1_000_000)
    );
}

#[test]
fn a_busy_worker_lets_changes_gather() {
    let steady = |idle, busy| (0..1000).fold(0.0, |before, _| load(before, idle, busy));
    let (half, tenth) = (steady(MS, MS), steady(9 * MS, MS));
    assert!((0.49..0.51).contains(&half), "{half}");
    assert!((0.09..0.11).contains(&tenth), "{tenth}");
    assert_eq!(cooldown(250 * MS, MS, tenth, 1), 4 * MS);
    assert!(cooldown(250 * MS, MS, half, 1) > 15 * MS);
    // One long refresh is a busy time, a pause ends it.
    assert!(load(0.0, 0, 1000 * MS) > 0.9 && load(0.9, 1000 * MS, 0) < 0.1);
}

#[test]
fn changes_under_a_cooldown_count_from_the_last_refresh() {
    assert_eq!(
        dirty_since(NOW, NOW - 90 * MS, NOW - 80 * MS, 250 * MS),
        NOW - 90 * MS
    );
    assert_eq!(dirty_since(NOW, NOW - 900 * MS, NOW - 800 * MS, 250 * MS), NOW);
    assert_eq!(
        dirty_since(NOW, NOW - 9000 * MS, NOW - 80 * MS, 250 * MS),
        NOW - 250 * MS
    );
}

#[test]
fn backoff_doubles_to_a_minute() {
    assert_eq!(backoff(500 * MS, 1, 0), 500 * MS);
    assert_eq!(backoff(500 * MS, 3, 0), 2000 * MS);
    assert_eq!(backoff(500 * MS, 30, 0), 60_000 * MS);
    assert!((375 * MS..=500 * MS).contains(&backoff(500 * MS, 1, 999)));
}

#[test]
fn busy_pauses_grow_to_a_second() {
    assert_eq!(busy_pause(0, 1), 5 * MS);
    assert_eq!(busy_pause(40 * MS, 1), 20 * MS);
    assert_eq!(busy_pause(0, 3), 20 * MS);
    assert_eq!(busy_pause(900 * MS, 60), 1000 * MS);
}

#[test]
fn expectations_rise_fast_and_fall_slowly() {
    assert_eq!(expected(0, 10), 10);
    assert_eq!(expected(10, 30), 20);
    assert_eq!(expected(80, 0), 70);
}

#[test]
fn the_outcome_decides_about_pause_and_history() {
    let before = History {
        expected: 10 * MS,
        failures: 2,
    };
    let ended = |status| Ended {
        status,
        changes: 1,
        duration: 30 * MS,
        elapsed: 40 * MS,
        limit: 50 * MS,
        max_latency: 250 * MS,
        load: 0.0,
        retry_backoff: 500 * MS,
        chance: 0,
    };
    let history = |expected, failures| History { expected, failures };
    let after = |status| after(before, &ended(status));
    assert_eq!(after(Status::UpToDate), (80 * MS, history(20 * MS, 0)));
    assert_eq!(after(Status::Comparing), (0, history(20 * MS, 0)));
    assert_eq!(after(Status::TooLong), (0, history(100 * MS, 2)));
    assert_eq!(after(Status::Busy), (20 * MS, history(10 * MS, 3)));
    assert_eq!(after(Status::Failed), (2000 * MS, history(40 * MS, 3)));
    assert_eq!(after(Status::Suspended), (20_000 * MS, history(40 * MS, 3)));
    assert_eq!(after(Status::NotReady), (250 * MS, before));
    assert_eq!(after(Status::Refused), (0, before));
    assert_eq!(after(Status::Regrouped), (0, before));
}

#[test]
fn a_refresh_without_changes_says_nothing_about_the_next() {
    let before = History {
        expected: 10 * MS,
        failures: 0,
    };
    let ended = Ended {
        status: Status::UpToDate,
        changes: 0,
        duration: MS,
        elapsed: MS,
        limit: 0,
        max_latency: 250 * MS,
        load: 0.0,
        retry_backoff: 500 * MS,
        chance: 0,
    };
    assert_eq!(after(before, &ended), (4 * MS, before));
}
