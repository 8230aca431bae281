//! Whether refreshes by key lock few of many partitions.

use std::cell::Cell;

/// Whether refreshes of a TVIEW lock few partitions: measured from time to time.
#[derive(Default)]
pub struct Locks {
    many: Cell<bool>,
    times: Cell<u32>,
}

impl Locks {
    /// Whether it pays to leave partitions unlocked that are not read.
    pub fn are_few(&self) -> bool {
        !self.many.get()
    }

    /// Asking for them goes over the lock table.
    pub fn is_due(&self) -> bool {
        (self.times.get() + 1).is_power_of_two()
    }

    pub fn measured(&self, many: bool) {
        self.many.set(many);
    }

    pub fn used(&self) {
        self.times.set(self.times.get().saturating_add(1));
    }
}
