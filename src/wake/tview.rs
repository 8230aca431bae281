//! The progress of each TVIEW, as shared memory shows it.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};

use pgrx::pg_sys::Oid;

use super::counters::Counters;
use super::hash::hash;
use crate::postgres::process::clock;
use crate::postgres::process::shared_memory::SharedArray;
use crate::settings;

/// Progress of TVIEWs, found by hash and linear probing.
pub static TVIEWS: SharedArray<Tview> = SharedArray::new(c"pg_tviews progress", settings::max_tviews);

/// Progress of one TVIEW. Times are microseconds, 0 means never.
#[derive(Default)]
pub struct Tview {
    /// Database and TVIEW; 0 never used, [`GONE`] given back. Claimed by CAS by a worker that loads
    /// definitions; given back by a worker that no longer finds the TVIEW, or by the launcher together with
    /// the database.
    key: AtomicU64,
    /// All ticks up to this are in the tv table. The worker that refreshed it.
    pub absorbed_tick: AtomicU64,
    /// Index (plus one) of the worker that refreshes the TVIEW (the runner), 0 if none. That worker.
    pub runner: AtomicU32,
    /// When pending changes were first noticed. Workers; the runner resets it.
    pub dirty_since: AtomicI64,
    /// Since when it has not shown all changes, for back-pressure; 0: it shows all that are known of. Set by
    /// the worker that notices them; the runner moves it on once they are shown.
    pub behind_since: AtomicI64,
    /// Not to be refreshed before: a pause between refreshes, or after a failure. The runner.
    pub not_before: AtomicI64,
    /// The same without what gathering changes has added to the pause. The runner.
    pub paused_until: AtomicI64,
    /// A session waits for a refresh: the pause is not made longer. Sessions; the runner clears it.
    pub awaited: AtomicBool,
    /// The newest tick when the last refresh began, or that of its sources when the pause was made longer. Workers.
    pub gathered_tick: AtomicU64,
    /// The share of their time for which its refreshes waited for a CPU, in thousandths. The runner.
    pub delayed: AtomicU32,
    /// When the first dead key is to be tried again; 0: there are none. The runner.
    pub retry_at: AtomicI64,
    /// When the last refresh began. The runner.
    pub started_at: AtomicI64,
    /// When the last refresh ended. The runner.
    pub finished_at: AtomicI64,
    /// How long a refresh takes, as a moving average. The runner.
    pub expected: AtomicI64,
    /// All rows are being compared with the view, batch by batch. The runner.
    pub comparing: AtomicBool,
    /// It could not be refreshed with the others of its unit: it is refreshed alone, until that succeeds. The runner.
    pub alone: AtomicBool,
    /// Failures in a row. The runner.
    pub failures: AtomicU32,
    /// Number of the parts of the backlog that no worker has taken. The runner sets it; a worker that takes
    /// the last part lowers it.
    pub parts: AtomicU32,
    /// When the oldest change was made that the parts apply. The runner.
    pub changed_at: AtomicI64,
    /// Which workers apply a part that the runner has offered, by index. Each sets and clears its bit.
    pub helpers: AtomicU64,
    /// How many commits of its sources the tv table has absorbed, of those that [`Sources::commits`] counts. The
    /// runner.
    ///
    /// [`Sources::commits`]: super::sources::Sources::commits
    pub absorbed_commits: AtomicU64,
    /// How old the oldest change is that a refresh has read and not applied. The runner.
    pub applying_since: AtomicI64,
    /// When a session that reads metrics first saw changes that wait. Sessions; the runner resets it.
    pub waiting_since: AtomicI64,
    /// What its refreshes have done.
    pub counters: Counters,
}

/// A place whose TVIEW was dropped: searches skip it, a new TVIEW may claim it.
const GONE: u64 = u64::MAX;

impl Tview {
    fn key_of(database: Oid, tview: Oid) -> u64 {
        u64::from(database.to_u32()) << 32 | u64::from(tview.to_u32())
    }

    /// Whether this place (still) belongs to that TVIEW.
    pub fn is(&self, database: Oid, tview: Oid) -> bool {
        self.key.load(SeqCst) == Self::key_of(database, tview)
    }

    /// Whether this place belongs to a TVIEW of that database.
    pub fn is_of(&self, database: Oid) -> bool {
        let key = self.key.load(SeqCst);
        key != GONE && (key >> 32) as u32 == database.to_u32()
    }

    /// All places, in the order in which that of `key` is searched.
    fn probes(key: u64) -> impl Iterator<Item = &'static Tview> {
        let places = TVIEWS.get();
        let first = hash(key) as usize % places.len().max(1);
        places[first..].iter().chain(&places[..first])
    }

    /// The place of a TVIEW, if it has one.
    pub fn find(database: Oid, tview: Oid) -> Option<&'static Tview> {
        let key = Self::key_of(database, tview);
        Self::probes(key)
            .take_while(|place| place.key.load(SeqCst) != 0)
            .find(|place| place.key.load(SeqCst) == key)
    }

    /// The place of a TVIEW, claimed if it has none; `None` if all are taken.
    pub fn find_or_claim(database: Oid, tview: Oid) -> Option<&'static Tview> {
        let key = Self::key_of(database, tview);
        loop {
            let mut free = None;
            for place in Self::probes(key) {
                match place.key.load(SeqCst) {
                    found if found == key => return Some(place),
                    GONE => free = free.or(Some((place, GONE))),
                    0 => {
                        free = free.or(Some((place, 0)));
                        break;
                    }
                    _ => {}
                }
            }
            let (place, was) = free?;
            if place.key.compare_exchange(was, key, SeqCst, SeqCst).is_ok() {
                place.counters.reset(clock::now());
                return Some(place);
            }
        }
    }

    /// Whether one more TVIEW could be tracked.
    pub fn any_free() -> bool {
        TVIEWS
            .get()
            .iter()
            .any(|place| matches!(place.key.load(SeqCst), 0 | GONE))
    }

    /// Which TVIEWs of `database` have a place.
    pub fn of(database: Oid) -> Vec<Oid> {
        let tview = |place: &Tview| Oid::from(place.key.load(SeqCst) as u32);
        TVIEWS
            .get()
            .iter()
            .filter(|place| place.is_of(database))
            .map(tview)
            .collect()
    }

    /// Gives back the places of the TVIEWs of `database` that are not to be kept.
    pub fn release_all(database: Oid, keep: impl Fn(Oid) -> bool) {
        for place in TVIEWS.get().iter().filter(|place| place.is_of(database)) {
            let key = place.key.load(SeqCst);
            if key != GONE && !keep(Oid::from(key as u32)) {
                place.forget();
                place.note_absorbed(0, true);
                // Only now can it be claimed again.
                let _ = place.key.compare_exchange(key, GONE, SeqCst, SeqCst);
            }
        }
    }

    /// A refresh applies changes that are as old as that. Until all are applied, the oldest counts.
    pub fn note_applying(&self, since: i64) {
        let known = self.applying_since.load(SeqCst);
        if known == 0 || since < known {
            self.applying_since.store(since, SeqCst);
        }
    }

    /// So many commits of the sources are in the table. `all`: nothing waits that a refresh has read; no comparison of
    /// all rows goes on.
    pub fn note_absorbed(&self, commits: u64, all: bool) {
        self.absorbed_commits.store(commits, SeqCst);
        self.waiting_since.store(0, SeqCst);
        if all {
            self.applying_since.store(0, SeqCst);
        }
    }

    /// How many commits of its sources wait, of `commits` in all, and for how long, in microseconds. For metrics:
    /// the time is exact once a refresh has read the changes. Before, it counts from when a worker noticed them, or
    /// a session that reads metrics.
    pub fn behind(&self, commits: u64, now: i64) -> (u64, i64) {
        let absorbed = self.absorbed_commits.load(SeqCst);
        let applying = self.applying_since.load(SeqCst);
        let waiting = commits.saturating_sub(absorbed).max(u64::from(applying != 0));
        if waiting == 0 {
            self.waiting_since.store(0, SeqCst);
            return (0, 0);
        }
        let _ = self.waiting_since.compare_exchange(0, now, SeqCst, SeqCst);
        if self.absorbed_commits.load(SeqCst) != absorbed {
            // Applied meanwhile: the time that was just noted would outlive what it is about.
            self.waiting_since.store(0, SeqCst);
        }
        let known = [
            applying,
            self.dirty_since.load(SeqCst),
            self.waiting_since.load(SeqCst),
        ];
        let since = known.into_iter().filter(|since| *since != 0).min();
        (waiting, since.map_or(0, |since| (now - since).max(0)))
    }

    /// When its pause ends. A session that waits ends what gathering changes has added.
    pub fn pause_end(&self) -> i64 {
        if self.awaited.load(SeqCst) {
            self.not_before.load(SeqCst).min(self.paused_until.load(SeqCst))
        } else {
            self.not_before.load(SeqCst)
        }
    }

    /// A session waits for a refresh; returns whether that ends a pause.
    pub fn note_awaited(&self) -> bool {
        !self.awaited.swap(true, SeqCst) && self.paused_until.load(SeqCst) < self.not_before.load(SeqCst)
    }

    /// Takes the last of the parts that are offered.
    pub fn take_part(&self) -> Option<u32> {
        let one_less = |parts: u32| parts.checked_sub(1);
        let taken = self.parts.fetch_update(SeqCst, SeqCst, one_less);
        taken.ok().map(|parts| parts - 1)
    }

    /// Lets worker `index` take a part and apply it. The runner waits for all workers that may have taken
    /// one.
    pub fn help(&self, index: usize, apply: impl FnOnce(u32)) {
        self.helpers.fetch_or(1 << index, SeqCst);
        if let Some(part) = self.take_part() {
            apply(part);
        }
        self.leave(index);
    }

    /// Worker `index` applies no part.
    pub fn leave(&self, index: usize) {
        self.helpers.fetch_and(!(1 << index), SeqCst);
    }

    /// A refresh begins, which absorbs all ticks up to `tick`.
    pub fn begin(&self, now: i64, tick: u64) {
        self.started_at.store(now, SeqCst);
        self.dirty_since.store(0, SeqCst);
        self.gathered_tick.store(tick, SeqCst);
        self.awaited.store(false, SeqCst);
    }

    /// Resets the progress as for a new TVIEW, which will be checked.
    pub fn forget(&self) {
        self.absorbed_tick.store(0, SeqCst);
        self.dirty_since.store(0, SeqCst);
        self.behind_since.store(0, SeqCst);
        self.not_before.store(0, SeqCst);
        self.paused_until.store(0, SeqCst);
        self.awaited.store(false, SeqCst);
        self.gathered_tick.store(0, SeqCst);
        self.delayed.store(0, SeqCst);
        self.retry_at.store(0, SeqCst);
        self.failures.store(0, SeqCst);
        self.comparing.store(false, SeqCst);
        self.alone.store(false, SeqCst);
        self.expected.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_wait_from_when_the_first_of_all_noticed_them() {
        let tview = Tview::default();
        tview.note_absorbed(3, true);
        assert_eq!(tview.behind(3, 100), (0, 0));
        assert_eq!(tview.behind(5, 100), (2, 0));
        assert_eq!(tview.behind(5, 140), (2, 40));
        tview.note_applying(90);
        tview.note_applying(95);
        assert_eq!(tview.behind(5, 140), (2, 50));
        // A comparison of all rows still applies the oldest.
        tview.note_absorbed(5, false);
        assert_eq!(tview.behind(5, 140), (1, 50));
        tview.note_absorbed(5, true);
        assert_eq!(tview.behind(5, 150), (0, 0));
        assert_eq!(tview.behind(6, 200), (1, 0));
    }

    #[test]
    fn a_session_that_waits_ends_only_what_was_added_to_a_pause() {
        let tview = Tview::default();
        tview.paused_until.store(100, SeqCst);
        tview.not_before.store(100, SeqCst);
        assert!(!tview.note_awaited());
        assert_eq!(tview.pause_end(), 100);
        // The next refresh begins, and its pause is made longer.
        tview.awaited.store(false, SeqCst);
        tview.not_before.store(150, SeqCst);
        assert_eq!(tview.pause_end(), 150);
        assert!(tview.note_awaited());
        assert_eq!(tview.pause_end(), 100);
        // Workers are woken once.
        assert!(!tview.note_awaited());
    }
}
