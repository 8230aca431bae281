//! The memory of a worker. PostgreSQL keeps what it knows of each table, view and index that a process has opened, and
//! does not make that smaller: a worker that has grown much gives way to a new one.

use crate::postgres::process::memory;
use crate::settings;

/// The pause between two looks, in microseconds.
const PAUSE: i64 = 10_000_000;
/// How many times the memory for plans a worker may have in all.
const TIMES: usize = 8;
/// The memory that any worker may have, in bytes.
const ALWAYS: usize = 8 << 20;

/// How a worker has grown.
#[derive(Default)]
pub struct Growth {
    looked_at: i64,
    /// The memory at the first look, in bytes.
    first: usize,
}

impl Growth {
    /// Whether the worker should give way to a new one. `worked_until`: when its last refresh ended. Cheap: looks only
    /// every ten seconds, and not at a worker that has done nothing since.
    pub fn is_too_much(&mut self, now: i64, worked_until: i64) -> bool {
        if now < self.looked_at.saturating_add(PAUSE) || worked_until < self.looked_at {
            return false;
        }
        self.looked_at = now;
        self.note(memory::in_contexts(), settings::worker_plan_cache_size())
    }

    /// A new worker needs some memory, too: one that has not doubled would only be replaced by its like.
    fn note(&mut self, memory: usize, for_plans: usize) -> bool {
        if self.first == 0 {
            self.first = memory;
        }
        let maximum = for_plans.saturating_mul(TIMES).max(ALWAYS);
        memory > maximum && memory / 2 > self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    #[test]
    fn it_is_too_much_if_it_is_large_and_has_doubled() {
        let mut growth = Growth::default();
        assert!(!growth.note(3 * MB, 32 * MB));
        assert!(!growth.note(256 * MB, 32 * MB));
        assert!(growth.note(257 * MB, 32 * MB));
        assert!(growth.note(9 * MB, MB));
        assert!(!growth.note(8 * MB, 0));
        assert!(growth.note(9 * MB, 0));
        let mut large = Growth::default();
        assert!(!large.note(200 * MB, MB));
        assert!(!large.note(400 * MB, MB));
        assert!(large.note(401 * MB, MB));
    }
}
