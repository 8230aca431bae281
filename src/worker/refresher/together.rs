//! A worker refreshes several TVIEWs in one transaction, and notes for each what that means for the schedule.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::Refresher;
use crate::catalog::TviewInfo;
use crate::define::in_step;
use crate::postgres::process::{background_worker, clock, leftovers};
use crate::postgres::transaction::worker_transaction::guarded;
use crate::refresh::together::{self, Member, Verdict};

/// The others wait for a TVIEW that another session holds for so many attempts in a row, about a tenth of a second. Then
/// they go on without it.
const PATIENCE: u32 = 5;

impl Refresher {
    /// Refreshes these TVIEWs, unless another worker is at one of them; gives up what takes longer than `limit`.
    pub(super) fn refresh_together(&mut self, unit: &[usize], limit: Option<Duration>) {
        if !unit.iter().all(|index| self.tracked.holds_place(*index)) {
            self.generation = None;
            return;
        }
        if !self.take(unit) {
            return;
        }
        // Read before any snapshot is taken: all commits up to this tick will be visible.
        let tick = self.database.tick.load(SeqCst);
        let delay = self.run_delay.so_far();
        let started = clock::now();
        for index in unit {
            self.tracked.get(*index).progress().begin(started, tick);
        }
        for index in unit {
            self.tracked.announce_quiet(*index);
        }
        let infos = || unit.iter().map(|index| &self.tracked.get(*index).info);
        let names: Vec<&str> = infos().map(|info| &info.name[..]).collect();
        background_worker::report_running(&format!("refreshing {}", names.join(", ")));
        let tviews: Vec<&TviewInfo> = infos().collect();
        let members = guarded(|| together::run(in_step::prepare, &tviews, limit));
        leftovers::remove();
        self.worked(started);
        let before = self.delay_then;
        for index in unit {
            self.delay_then = before;
            self.note_delay(*index, delay, self.worked_until - started);
        }
        match members {
            Some(members) => self.note_together(unit, &members, tick, started, limit),
            // In a way that left no outcome. It may not happen to each alone.
            None => {
                for index in unit {
                    self.leaves(*index);
                    self.note(*index, None, tick, started, limit);
                }
            }
        }
    }

    /// Becomes the worker that refreshes all of them; false if another worker refreshes one.
    fn take(&self, unit: &[usize]) -> bool {
        let me = self.index as u32 + 1;
        let runner = |index: &usize| &self.tracked.get(*index).progress().runner;
        for (taken, index) in unit.iter().enumerate() {
            if runner(index).compare_exchange(0, me, SeqCst, SeqCst).is_err() {
                unit[..taken]
                    .iter()
                    .for_each(|index| runner(index).store(0, SeqCst));
                return false;
            }
        }
        true
    }

    /// Notes what came of the refresh of each. Those that wait for another one are tried again when that one is.
    fn note_together(
        &mut self,
        unit: &[usize],
        members: &[Member],
        tick: u64,
        started: i64,
        limit: Option<Duration>,
    ) {
        let mut next_at = self.worked_until;
        for (index, member) in unit.iter().zip(members) {
            let Some(outcome) = member.outcome() else {
                continue;
            };
            self.note(*index, Some(outcome), tick, started, limit);
            let progress = self.tracked.get(*index).progress();
            if member.verdict != Verdict::UpToDate {
                next_at = progress.not_before.load(SeqCst);
            }
            if member.verdict == Verdict::Busy && progress.failures.load(SeqCst) >= PATIENCE {
                self.leaves(*index);
            }
        }
        for (index, member) in unit.iter().zip(members) {
            if member.outcome().is_none() {
                let is_alone = member.verdict == Verdict::Alone;
                if is_alone {
                    self.leaves(*index);
                }
                let next_at = if is_alone { self.worked_until } else { next_at };
                self.end(*index, next_at);
            }
        }
    }

    /// The TVIEW at `index` is refreshed alone next, also if none of its sources has changed.
    fn leaves(&self, index: usize) {
        let tracked = self.tracked.get(index);
        tracked.progress().alone.store(true, SeqCst);
        tracked.progress().absorbed_tick.store(0, SeqCst);
        for source in &tracked.sources {
            self.database.sources.mark(*source);
        }
    }
}
