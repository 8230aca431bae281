//! Which run of the server this is. What a crash empties, unlogged tables, was filled in the same run or is not to be relied on.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::OnceLock;

use crate::postgres::process::shared_memory::SharedArray;

/// The array has one element.
pub static SERVER_RUN: SharedArray<ServerRun> = SharedArray::new(c"pg_tviews run of the server", || 1);

/// Made anew with shared memory: at each start, and after a crash of any process.
pub struct ServerRun {
    /// A number at random. Nobody writes it again.
    number: AtomicI64,
}

impl Default for ServerRun {
    fn default() -> Self {
        Self {
            number: AtomicI64::new(at_random()),
        }
    }
}

/// The number of this run. Without shared memory each process has its own.
pub fn number() -> i64 {
    static OWN: OnceLock<i64> = OnceLock::new();
    match SERVER_RUN.get().first() {
        Some(run) => run.number.load(Relaxed),
        None => *OWN.get_or_init(at_random),
    }
}

/// A number that is hardly ever the same again.
fn at_random() -> i64 {
    RandomState::new().build_hasher().finish() as i64
}
