//! The limit on the analysis of one view. Steps are counted rather than time, so that the outcome is the same
//! everywhere.

use std::cell::Cell;

/// Enough for a view that joins a hundred tables.
const MAX_STEPS: usize = 5_000_000;

pub struct Effort {
    left: Cell<usize>,
    given_up: Cell<Option<&'static str>>,
    /// Called with every expense; it may raise an ERROR, such as a cancel request.
    at_step: fn(),
}

impl Effort {
    pub fn new(at_step: fn()) -> Effort {
        Effort {
            left: Cell::new(MAX_STEPS),
            given_up: Cell::new(None),
            at_step,
        }
    }

    /// Takes so many steps; false once there are none left. What is found afterwards is not complete.
    pub fn spend(&self, steps: usize) -> bool {
        (self.at_step)();
        self.left.set(self.left.get().saturating_sub(steps));
        if self.left.get() == 0 {
            self.give_up("following changes through the view takes too many steps");
        }
        self.given_up.get().is_none()
    }

    pub fn give_up(&self, reason: &'static str) {
        self.given_up.set(self.given_up.get().or(Some(reason)));
    }

    /// Why the analysis is not complete.
    pub fn given_up(&self) -> Option<&'static str> {
        self.given_up.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let effort = Effort::new(|| {});
        assert!(effort.spend(MAX_STEPS - 1));
        assert!(!effort.spend(1));
        assert!(!effort.spend(0));
        assert!(effort.given_up().is_some());
    }

    #[test]
    fn the_first_reason_stays() {
        let effort = Effort::new(|| {});
        effort.give_up("first");
        effort.give_up("second");
        assert_eq!(effort.given_up(), Some("first"));
        assert!(!effort.spend(1));
    }
}
