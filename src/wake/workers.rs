//! The workers of a database: which of them sleep, which are at a long refresh, and how they are woken.

use std::array;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use crossbeam::utils::CachePadded;

use super::worker::{Worker, RUNNING};
use crate::postgres::process::latch;

/// Maximum number of workers of a database: one bit for each fits a word.
pub const WORKERS: usize = 64;

/// All workers of a database, by index.
pub struct Workers {
    /// Which workers sleep. A worker sets its bit; the process that wakes it clears the bit.
    idle: CachePadded<AtomicU64>,
    /// Which workers are at a refresh that may take long. Each worker sets and clears its bit.
    long: AtomicU64,
    list: [Worker; WORKERS],
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            idle: CachePadded::new(AtomicU64::new(0)),
            long: AtomicU64::new(0),
            list: array::from_fn(|_| Worker::default()),
        }
    }
}

impl Deref for Workers {
    type Target = [Worker];

    fn deref(&self) -> &[Worker] {
        &self.list
    }
}

impl Workers {
    /// The workers that run.
    pub fn running(&self) -> impl Iterator<Item = &Worker> {
        self.list
            .iter()
            .filter(|worker| worker.state.load(SeqCst) == RUNNING)
    }

    /// From now on a commit can wake worker `index`. The worker must check the ticks once more before it
    /// sleeps.
    pub fn mark_idle(&self, index: usize) {
        self.idle.fetch_or(1 << index, SeqCst);
    }

    /// Worker `index` works: commits need not wake it. A commit that has just tried to wake it may have
    /// brought work that the worker has not seen: another worker is woken instead.
    pub fn mark_busy(&self, index: usize) {
        if self.idle.fetch_and(!(1 << index), SeqCst) & (1 << index) == 0 {
            self.wake_one();
        }
    }

    /// Worker `index` has ended or does not take work.
    pub fn mark_absent(&self, index: usize) {
        self.idle.fetch_and(!(1 << index), SeqCst);
    }

    /// Whether worker `index` may run a long refresh. One worker is always kept free for urgent refreshes: at
    /// most n-1 of n workers may run a long one.
    pub fn may_take_long(&self, index: usize) -> bool {
        let others = self.long.load(SeqCst) & !(1 << index);
        self.leaves_one(others)
    }

    /// Worker `index` is about to run a long refresh; false if it is the one that must stay free.
    pub fn begin_long(&self, index: usize) -> bool {
        let with_me = |long: u64| self.leaves_one(long & !(1 << index)).then_some(long | 1 << index);
        self.long.fetch_update(SeqCst, SeqCst, with_me).is_ok()
    }

    /// Worker `index` has ended its long refresh.
    pub fn end_long(&self, index: usize) {
        self.long.fetch_and(!(1 << index), SeqCst);
    }

    fn leaves_one(&self, others: u64) -> bool {
        let workers = self.running().count();
        workers < 2 || (others.count_ones() as usize) + 1 < workers
    }

    /// Wakes one sleeping worker. False if none sleeps: then each worker checks the ticks before it sleeps.
    pub fn wake_one(&self) -> bool {
        loop {
            let idle = self.idle.load(SeqCst);
            if idle == 0 {
                return false;
            }
            let index = idle.trailing_zeros() as usize;
            if self.idle.fetch_and(!(1 << index), SeqCst) & (1 << index) != 0 {
                latch::set(self.list[index].number.load(SeqCst));
                return true;
            }
        }
    }

    /// Wakes every worker, sleeping or not.
    pub fn wake_all(&self) {
        for worker in self.running() {
            latch::set(worker.number.load(SeqCst));
        }
    }
}
