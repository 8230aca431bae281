//! What refreshes of a TVIEW have done since the server started, for `pg_tview_metrics`. Only refreshes add to it, a few
//! atomic additions per transaction. Nothing decides anything by these numbers.

use std::array;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};

/// How the time of a refresh is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Locks, before the snapshot.
    Lock,
    /// Reading state, position and log.
    ReadLog,
    /// Key queries.
    FindKeys,
    /// The statements that compute rows and write those that differ.
    Recompute,
    /// The audit row, the change feed, dead keys, stored groups.
    Record,
    Commit,
    /// What was rolled back, whatever it was.
    Failed,
}

/// Number of phases.
pub const PHASES: usize = 7;

/// What a failed attempt failed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another session holds a lock, or was in the way of the transaction.
    Lock,
    /// A limit of time, or a cancel.
    Time,
    /// Memory, disk, connections, PostgreSQL itself.
    Server,
    /// What the view names and may read.
    View,
    /// Values, such as a division by zero.
    Data,
}

/// Number of classes of failures.
pub const FAILURES: usize = 5;

/// Upper bounds of the latency histogram, in microseconds. Names of a contract: never changed, only refined.
pub const BOUNDS: [i64; 14] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// Buckets of the histogram: one for each bound, and one for what is later.
pub const BUCKETS: usize = BOUNDS.len() + 1;

/// What one transaction of a refresh adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Refreshes that this transaction completes: 0 or 1.
    pub refreshes: u64,
    pub changes_read: u64,
    pub keys_refreshed: u64,
    /// Rows inserted, updated, deleted, and found equal.
    pub rows: [u64; 4],
    /// Nanoseconds by [`Stage`].
    pub nanos: [u64; PHASES],
    /// Microseconds from the oldest commit that it applied until it was visible.
    pub latency: Option<i64>,
}

impl Tally {
    /// A transaction that has done nothing yet.
    pub const NOTHING: Tally = Tally {
        refreshes: 0,
        changes_read: 0,
        keys_refreshed: 0,
        rows: [0; 4],
        nanos: [0; PHASES],
        latency: None,
    };

    /// The same after a rollback: the time was spent for nothing.
    pub fn rolled_back(&self) -> Tally {
        let mut nanos = [0; PHASES];
        nanos[Stage::Failed as usize] = self.nanos.iter().sum();
        Tally {
            nanos,
            ..Tally::NOTHING
        }
    }
}

/// The totals of a TVIEW. Refreshes add to each field.
pub struct Counters {
    /// Since when they count, in microseconds since 2000. The process that claims the place.
    since: AtomicI64,
    refreshes: AtomicU64,
    changes_read: AtomicU64,
    keys_refreshed: AtomicU64,
    rows: [AtomicU64; 4],
    failures: [AtomicU64; FAILURES],
    nanos: [AtomicU64; PHASES],
    latencies: [AtomicU64; BUCKETS],
    latency_sum: AtomicU64,
}

/// What [`Counters::read`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub since: i64,
    pub refreshes: u64,
    pub changes_read: u64,
    pub keys_refreshed: u64,
    pub rows: [u64; 4],
    pub failures: [u64; FAILURES],
    pub nanos: [u64; PHASES],
    /// Cumulative: how many were no later than each bound; the last is the number of all.
    pub latencies: [u64; BUCKETS],
    /// Sum of the latencies in microseconds.
    pub latency_sum: u64,
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    array::from_fn(|_| AtomicU64::new(0))
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            since: AtomicI64::new(0),
            refreshes: AtomicU64::new(0),
            changes_read: AtomicU64::new(0),
            keys_refreshed: AtomicU64::new(0),
            rows: zeros(),
            failures: zeros(),
            nanos: zeros(),
            latencies: zeros(),
            latency_sum: AtomicU64::new(0),
        }
    }
}

fn add(counter: &AtomicU64, number: u64) {
    if number != 0 {
        counter.fetch_add(number, Relaxed);
    }
}

fn add_all<const N: usize>(counters: &[AtomicU64; N], numbers: &[u64; N]) {
    for (counter, number) in counters.iter().zip(numbers) {
        add(counter, *number);
    }
}

fn read_all<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    array::from_fn(|index| counters[index].load(Relaxed))
}

/// The bucket of a latency in microseconds.
fn bucket(latency: i64) -> usize {
    BOUNDS
        .iter()
        .position(|bound| latency <= *bound)
        .unwrap_or(BOUNDS.len())
}

impl Counters {
    /// Adds what a transaction has done.
    pub fn add(&self, tally: &Tally) {
        add(&self.refreshes, tally.refreshes);
        add(&self.changes_read, tally.changes_read);
        add(&self.keys_refreshed, tally.keys_refreshed);
        add_all(&self.rows, &tally.rows);
        add_all(&self.nanos, &tally.nanos);
        if let Some(latency) = tally.latency {
            add(&self.latencies[bucket(latency)], 1);
            add(&self.latency_sum, latency.max(0) as u64);
        }
    }

    /// One attempt failed.
    pub fn add_failure(&self, failure: Failure) {
        add(&self.failures[failure as usize], 1);
    }

    /// Begins to count at 0.
    pub fn reset(&self, now: i64) {
        let counters = [
            &self.refreshes,
            &self.changes_read,
            &self.keys_refreshed,
            &self.latency_sum,
        ];
        let all = counters.into_iter().chain(&self.rows).chain(&self.failures);
        all.chain(&self.nanos)
            .chain(&self.latencies)
            .for_each(|counter| counter.store(0, Relaxed));
        self.since.store(now, Relaxed);
    }

    /// The totals.
    pub fn read(&self) -> Totals {
        let mut latencies = read_all(&self.latencies);
        for index in 1..BUCKETS {
            latencies[index] += latencies[index - 1];
        }
        Totals {
            since: self.since.load(Relaxed),
            refreshes: self.refreshes.load(Relaxed),
            changes_read: self.changes_read.load(Relaxed),
            keys_refreshed: self.keys_refreshed.load(Relaxed),
            rows: read_all(&self.rows),
            failures: read_all(&self.failures),
            nanos: read_all(&self.nanos),
            latencies,
            latency_sum: self.latency_sum.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_in_its_bucket_and_all_above() {
        let counters = Counters::default();
        for latency in [4_000, 5_000, 5_001, 400_000_000] {
            counters.add(&Tally {
                latency: Some(latency),
                ..Tally::default()
            });
        }
        let totals = counters.read();
        assert_eq!(totals.latencies[..3], [2, 3, 3]);
        assert_eq!(totals.latencies[BUCKETS - 2..], [3, 4]);
        assert_eq!(totals.latency_sum, 400_014_001);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_latency_negative() {
        let counters = Counters::default();
        counters.add(&Tally {
            latency: Some(-7),
            ..Tally::default()
        });
        let totals = counters.read();
        assert_eq!((totals.latencies[0], totals.latency_sum), (1, 0));
    }

    #[test]
    fn a_reset_clears_every_counter() {
        let counters = Counters::default();
        counters.add(&Tally {
            refreshes: 1,
            changes_read: 2,
            keys_refreshed: 3,
            rows: [1; 4],
            nanos: [1; PHASES],
            latency: Some(1),
        });
        counters.add_failure(Failure::Data);
        counters.reset(9);
        assert_eq!(
            counters.read(),
            Totals {
                since: 9,
                ..Totals::default()
            }
        );
    }
}
