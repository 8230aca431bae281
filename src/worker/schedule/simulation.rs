//! One TVIEW and one worker under writers, with a simulated clock and simulated waits for a CPU.

use std::ops::Range;

use super::after_refresh::{after, Ended, History};
use super::candidate::{dirty_since, Candidate, Need};
use super::gathering::{goes_on_until, Rested};
use super::next::{next, Next};
use super::{averages, is_due};
use crate::refresh::Status;

const MS: i64 = 1000;
const SECOND: i64 = 1000 * MS;
const BOUND: i64 = 250 * MS;
/// CPU of a refresh, and of each change that it absorbs.
const FIXED: i64 = 2 * MS;
const EACH: i64 = 5;

/// A refresh.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Refreshed {
    started: i64,
    ended: i64,
    changes: u64,
}

/// What happens, in microseconds from the start.
struct Scene {
    /// When writers commit, in order.
    commits: Vec<i64>,
    /// When every CPU is in use, so that a refresh waits as long as it works.
    saturated: Range<i64>,
    /// When a session waits for all that is committed.
    awaited: Vec<i64>,
}

impl Scene {
    /// Commits every so often, for so long.
    fn steady(every: i64, until: i64) -> Scene {
        Scene {
            commits: (1..).map(|n| n * every).take_while(|at| *at < until).collect(),
            saturated: 0..0,
            awaited: Vec::new(),
        }
    }

    fn saturated(mut self, saturated: Range<i64>) -> Scene {
        self.saturated = saturated;
        self
    }

    fn committed(&self, at: i64) -> usize {
        self.commits.partition_point(|commit| *commit <= at)
    }

    /// The refreshes of a worker that decides as [`crate::worker::refresher`] does.
    fn play(&self) -> Vec<Refreshed> {
        let mut worker = Worker::default();
        let mut refreshes = Vec::new();
        let mut now = 0;
        while worker.absorbed < self.commits.len() {
            let candidate = worker.candidate(self, now);
            match next(now, i64::MAX, [(0, candidate)].into_iter()) {
                Next::Sleep { until } => now = self.wakes_at(now, until),
                Next::Refresh { .. } => match worker.gathers_until(self, &candidate, now) {
                    Some(until) => {
                        assert!(until > now);
                        worker.not_before = until;
                        worker.gathered = self.committed(now);
                    }
                    None => {
                        let refreshed = worker.refresh(self, now);
                        now = refreshed.ended;
                        refreshes.push(refreshed);
                    }
                },
            }
        }
        refreshes
    }

    /// The end of the sleep. During a pause no commit wakes the worker, but a session that waits does.
    fn wakes_at(&self, now: i64, until: Option<i64>) -> i64 {
        let first = |times: &[i64]| times.iter().copied().find(|at| *at > now);
        match until {
            None => first(&self.commits).expect("there is more to do"),
            Some(until) => until.min(first(&self.awaited).unwrap_or(until)),
        }
    }

    /// How long each change took to be shown.
    fn latencies(&self, refreshes: &[Refreshed]) -> Vec<i64> {
        let shown = |commit: &i64| {
            refreshes
                .iter()
                .find(|r| r.started >= *commit)
                .map(|r| r.ended - commit)
        };
        self.commits.iter().filter_map(shown).collect()
    }
}

/// What a worker and shared memory know.
#[derive(Default)]
struct Worker {
    absorbed: usize,
    gathered: usize,
    started: i64,
    finished: i64,
    dirty_since: i64,
    paused_until: i64,
    not_before: i64,
    history: Option<History>,
    load: f64,
    delayed: f64,
}

impl Worker {
    fn candidate(&mut self, scene: &Scene, now: i64) -> Candidate {
        let is_dirty = scene.committed(now) > self.absorbed;
        if is_dirty && self.dirty_since == 0 {
            self.dirty_since = dirty_since(now, self.started, self.finished, BOUND);
        }
        let awaited = self.is_awaited(scene, now);
        assert!(!is_due(0, now));
        Candidate {
            need: if is_dirty { Need::Refresh } else { Need::Nothing },
            dirty_since: self.dirty_since,
            not_before: if awaited {
                self.paused_until
            } else {
                self.not_before
            },
            retry_at: 0,
            expected: self.history.map_or(0, |history| history.expected),
            max_latency: BOUND,
            populating: false,
        }
    }

    fn is_awaited(&self, scene: &Scene, now: i64) -> bool {
        scene
            .awaited
            .iter()
            .any(|at| (self.started + 1..=now).contains(at))
    }

    fn gathers_until(&self, scene: &Scene, candidate: &Candidate, now: i64) -> Option<i64> {
        if self.is_awaited(scene, now) {
            return None;
        }
        goes_on_until(
            now,
            &Rested {
                not_before: candidate.not_before,
                finished_at: self.finished,
                dirty_since: candidate.dirty_since,
                expected: candidate.expected,
                max_latency: BOUND,
                delayed: self.delayed,
                commits: (scene.committed(now) - self.gathered) as u64,
            },
        )
    }

    fn refresh(&mut self, scene: &Scene, started: i64) -> Refreshed {
        let committed = scene.committed(started);
        let changes = (committed - self.absorbed) as u64;
        let cpu = FIXED + EACH * changes as i64;
        let delay = if scene.saturated.contains(&started) {
            cpu
        } else {
            0
        };
        let ended = started + cpu + delay;
        self.load = averages::load(self.load, started - self.finished, cpu + delay);
        self.delayed = averages::delayed(self.delayed, delay, cpu + delay);
        let outcome = Ended {
            status: Status::UpToDate,
            changes,
            duration: cpu + delay,
            elapsed: cpu + delay,
            limit: 0,
            max_latency: BOUND,
            load: self.load,
            retry_backoff: 500 * MS,
            chance: 0,
        };
        let before = self.history.unwrap_or(History {
            expected: 0,
            failures: 0,
        });
        let (pause, history) = after(before, &outcome);
        *self = Worker {
            absorbed: committed,
            gathered: committed,
            started,
            finished: ended,
            dirty_since: 0,
            paused_until: ended + pause,
            not_before: ended + pause,
            history: Some(history),
            ..*self
        };
        Refreshed {
            started,
            ended,
            changes,
        }
    }
}

#[test]
fn a_saturated_machine_makes_fewer_and_larger_refreshes_within_the_bound() {
    let idle = Scene::steady(MS / 5, 4 * SECOND);
    let busy = Scene::steady(MS / 5, 4 * SECOND).saturated(0..5 * SECOND);
    let (often, seldom) = (idle.play(), busy.play());
    assert!(
        seldom.len() * 2 < often.len(),
        "{} and {}",
        seldom.len(),
        often.len()
    );
    let worst = busy.latencies(&seldom).into_iter().max().unwrap_or(0);
    assert!((BOUND / 2..BOUND * 3 / 4).contains(&worst), "{worst}");
}

#[test]
fn an_idle_machine_decides_as_without_a_count_of_delays() {
    for every in [MS / 10, MS, 20 * MS, 400 * MS] {
        let scene = Scene::steady(every, 2 * SECOND);
        let refreshes = scene.play();
        // No pause is longer than what the outcome of the refresh before asks for.
        for pair in refreshes.windows(2) {
            assert!(
                pair[1].started - pair[0].ended <= every.max(BOUND * 2 / 5),
                "{pair:?}"
            );
        }
        assert_eq!(refreshes, scene.saturated(3 * SECOND..4 * SECOND).play());
    }
}

#[test]
fn an_isolated_change_is_applied_immediately_also_directly_after_saturation() {
    let end = 2 * SECOND;
    for after in (0..400).map(|n| n * MS) {
        // The last refreshes of the load may still have waited for a CPU.
        for delayed_until in [end, end + SECOND] {
            let mut scene = Scene::steady(MS / 5, end).saturated(0..delayed_until);
            let isolated = end + after;
            scene.commits.push(isolated);
            let refreshes = scene.play();
            let last = refreshes[refreshes.len() - 1];
            let before = refreshes[refreshes.len() - 2];
            let waited = last.started - isolated;
            let paused = last.started - before.ended;
            // What a pause as on an idle machine leaves of it, or a step of a longer pause.
            assert!(
                waited <= 0 || paused <= BOUND * 2 / 5 + 25 * MS,
                "{after}: {waited} {paused}"
            );
            if after >= 250 * MS {
                assert_eq!(waited, 0, "{after}");
            }
        }
    }
}

#[test]
fn isolated_changes_on_a_saturated_machine_wait_for_no_company() {
    let scene = Scene::steady(150 * MS, 4 * SECOND).saturated(0..5 * SECOND);
    let refreshes = scene.play();
    assert_eq!(refreshes.len(), scene.commits.len());
    assert!(refreshes
        .iter()
        .zip(&scene.commits)
        .all(|(refreshed, commit)| refreshed.started == *commit));
}

#[test]
fn a_burst_after_a_rest_is_applied_immediately_on_a_saturated_machine() {
    let mut scene = Scene::steady(MS / 5, SECOND).saturated(0..5 * SECOND);
    let burst = 2 * SECOND;
    scene.commits.extend([burst; 100]);
    let refreshes = scene.play();
    assert_eq!(refreshes[refreshes.len() - 1].started, burst);
}

#[test]
fn the_delay_is_forgotten_with_the_first_refreshes_that_have_none() {
    let scene = Scene::steady(MS / 5, 4 * SECOND).saturated(0..2 * SECOND);
    let idle = Scene::steady(MS / 5, 4 * SECOND).play();
    let of = |refreshes: &[Refreshed]| refreshes.iter().filter(|r| r.started > 5 * SECOND / 2).count();
    let (refreshes, expected) = (scene.play(), of(&idle));
    assert!(
        of(&refreshes) >= expected * 3 / 4,
        "{} and {expected}",
        of(&refreshes)
    );
}

#[test]
fn a_session_that_waits_ends_the_longer_pause() {
    let load = || Scene::steady(MS / 5, 4 * SECOND).saturated(0..5 * SECOND);
    let refreshes = load().play();
    let pair = refreshes
        .windows(2)
        .find(|pair| pair[0].started > SECOND)
        .expect("two refreshes");
    // Late in the pause, and still far from its end.
    let asks = pair[1].started - 10 * MS;
    let mut scene = load();
    scene.awaited.push(asks);
    let started = |refreshes: &[Refreshed]| refreshes.iter().find(|r| r.started >= asks).map(|r| r.started);
    assert_eq!(started(&refreshes), Some(pair[1].started));
    assert_eq!(started(&scene.play()), Some(asks));
}
