//! Back-pressure: which sources have a TVIEW that is later than its `throttle_lag`, and how often writers were
//! delayed for it. Workers publish when a TVIEW becomes late; a writer compares that with the clock.

use std::array;
use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};

use pgrx::pg_sys::Oid;

use super::launcher::LAUNCHER;

/// Sources of a database whose writers can be delayed. Writers of further sources are not.
const SOURCES: usize = 128;

/// The sources of a database with a TVIEW that has a `throttle_lag`. Times are microseconds.
pub struct Throttle {
    /// Whether there is one. Workers, when they load definitions.
    any: AtomicBool,
    sources: [ThrottledSource; SOURCES],
    /// Transactions that were delayed. Writers.
    transactions: AtomicU64,
    /// How long, in sum. Writers.
    delayed: AtomicU64,
}

/// One source. Workers.
#[derive(Default)]
struct ThrottledSource {
    /// 0: free. Claimed by CAS.
    oid: AtomicU32,
    /// From when on its writers are delayed; 0: its TVIEWs are not behind.
    from: AtomicI64,
    /// The `throttle_lag` that this time is counted with.
    lag: AtomicI64,
}

/// How late the TVIEWs of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// By how much a TVIEW is later than its `throttle_lag`.
    pub excess: i64,
    pub lag: i64,
}

/// How often writers of a database were delayed since the server has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    pub transactions: u64,
    pub microseconds: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            any: AtomicBool::new(false),
            sources: array::from_fn(|_| ThrottledSource::default()),
            transactions: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
        }
    }
}

/// Whether a TVIEW of some database has a `throttle_lag`. Read before each statement that writes, in all databases.
pub fn is_any() -> bool {
    let launcher = LAUNCHER.get().first();
    launcher.is_some_and(|launcher| launcher.throttling.load(SeqCst) != 0)
}

impl Throttle {
    /// Only these sources have TVIEWs with a `throttle_lag`.
    pub fn keep(&self, sources: &HashSet<Oid>) {
        for place in &self.sources {
            let oid = place.oid.load(SeqCst);
            if oid != 0 && !sources.contains(&Oid::from(oid)) {
                place.from.store(0, SeqCst);
                let _ = place.oid.compare_exchange(oid, 0, SeqCst, SeqCst);
            }
        }
        let any = !sources.is_empty();
        if self.any.swap(any, SeqCst) != any {
            if let Some(launcher) = LAUNCHER.get().first() {
                match any {
                    true => launcher.throttling.fetch_add(1, SeqCst),
                    false => launcher.throttling.fetch_sub(1, SeqCst),
                };
            }
        }
    }

    /// No database has the place any more.
    pub fn release(&self) {
        self.keep(&HashSet::new());
        self.transactions.store(0, SeqCst);
        self.delayed.store(0, SeqCst);
    }

    /// From when on writers of a source are delayed; 0: they are not. Not where the places are used up.
    pub fn publish(&self, source: Oid, from: i64, lag: i64) {
        if let Some(place) = self.find(source).or_else(|| self.claim(source)) {
            place.lag.store(lag, SeqCst);
            place.from.store(from, SeqCst);
        }
    }

    /// How late the TVIEWs of a source are now; None: not later than they may be.
    pub fn excess(&self, source: Oid, now: i64) -> Option<Excess> {
        let place = self.find(source).filter(|_| self.any.load(SeqCst))?;
        let from = place.from.load(SeqCst);
        (from != 0 && from < now).then(|| Excess {
            excess: now - from,
            lag: place.lag.load(SeqCst),
        })
    }

    /// Whether a TVIEW of this database is later than its `throttle_lag`.
    pub fn is_late(&self, now: i64) -> bool {
        let is_late = |place: &ThrottledSource| {
            let from = place.from.load(SeqCst);
            from != 0 && from < now
        };
        self.any.load(SeqCst) && self.sources.iter().any(is_late)
    }

    /// A transaction was delayed, for the first time or again.
    pub fn note_delay(&self, first: bool, microseconds: u64) {
        self.transactions.fetch_add(u64::from(first), SeqCst);
        self.delayed.fetch_add(microseconds, SeqCst);
    }

    /// How often writers of this database were delayed.
    pub fn delays(&self) -> Delays {
        Delays {
            transactions: self.transactions.load(SeqCst),
            microseconds: self.delayed.load(SeqCst),
        }
    }

    fn find(&self, source: Oid) -> Option<&ThrottledSource> {
        let mut places = self.sources.iter();
        places.find(|place| place.oid.load(SeqCst) == source.to_u32())
    }

    fn claim(&self, source: Oid) -> Option<&ThrottledSource> {
        let claim = |place: &&ThrottledSource| {
            let claimed = place.oid.compare_exchange(0, source.to_u32(), SeqCst, SeqCst);
            claimed.is_ok()
        };
        self.sources.iter().find(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_late_from_a_time_on_and_no_longer_once_it_is_let_go() {
        let throttle = Throttle::default();
        let source = Oid::from(7);
        throttle.keep(&HashSet::from([source]));
        throttle.publish(source, 1_000, 500);
        assert_eq!(throttle.excess(source, 1_000), None);
        let late = Excess {
            excess: 200,
            lag: 500,
        };
        assert_eq!(throttle.excess(source, 1_200), Some(late));
        assert!(throttle.is_late(1_200) && !throttle.is_late(1_000));
        assert_eq!(throttle.excess(Oid::from(8), 1_200), None);
        throttle.publish(source, 0, 500);
        assert_eq!(throttle.excess(source, 1_200), None);
        throttle.publish(source, 1_000, 500);
        throttle.keep(&HashSet::new());
        assert_eq!(throttle.excess(source, 1_200), None);
        assert!(!throttle.is_late(1_200));
    }

    #[test]
    fn more_sources_than_places_are_left_out() {
        let throttle = Throttle::default();
        let all: Vec<Oid> = (1..=SOURCES as u32 + 1).map(Oid::from).collect();
        throttle.keep(&all.iter().copied().collect());
        all.iter().for_each(|source| throttle.publish(*source, 1, 1));
        let late = all.iter().filter(|source| throttle.excess(**source, 9).is_some());
        assert_eq!(late.count(), SOURCES);
        // A place that is let go is claimed again.
        throttle.keep(&all[1..].iter().copied().collect());
        throttle.publish(all[SOURCES], 1, 1);
        assert!(throttle.excess(all[SOURCES], 9).is_some());
    }

    #[test]
    fn delays_are_counted_by_transaction() {
        let throttle = Throttle::default();
        throttle.note_delay(true, 40);
        throttle.note_delay(false, 2);
        let expected = Delays {
            transactions: 1,
            microseconds: 42,
        };
        assert_eq!(throttle.delays(), expected);
    }
}
