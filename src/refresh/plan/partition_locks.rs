//! Whether refreshes by key lock few partitions of a source that has many.

use std::cell::Cell;

/// Whether refreshes of a TVIEW lock few partitions: measured from time to time.
#[derive(Default)]
pub struct Locks {
    many: Cell<bool>,
    times: Cell<u32>,
}

impl Locks {
    /// Whether it is worthwhile to lock only the partitions that are read.
    pub fn are_few(&self) -> bool {
        !self.many.get()
    }

    /// Whether the locks are to be counted this time. Counting scans the lock table.
    pub fn is_due(&self) -> bool {
        (self.times.get() + 1).is_power_of_two()
    }

    /// Notes whether a refresh took many locks.
    pub fn measured(&self, many: bool) {
        self.many.set(many);
    }

    /// Counts a refresh.
    pub fn used(&self) {
        self.times.set(self.times.get().saturating_add(1));
    }
}
