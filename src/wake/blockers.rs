//! Sessions that keep the workers of a database away: their command needs the database without connections.

use std::array;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::SeqCst;

/// How many sessions can keep workers away at the same time.
const PLACES: usize = 8;

/// Process ids of the sessions; 0 marks a free place. Each session adds and removes its own id; the launcher
/// removes the ids of sessions that died.
pub struct Blockers([AtomicI32; PLACES]);

impl Default for Blockers {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicI32::new(0)))
    }
}

impl Blockers {
    /// Keeps workers away on behalf of session `pid`; false if all places are taken.
    pub fn add(&self, pid: i32) -> bool {
        self.0
            .iter()
            .any(|place| place.compare_exchange(0, pid, SeqCst, SeqCst).is_ok())
    }

    /// Undoes one [`Self::add`] of session `pid`.
    pub fn remove(&self, pid: i32) {
        for place in &self.0 {
            if place.compare_exchange(pid, 0, SeqCst, SeqCst).is_ok() {
                return;
            }
        }
    }

    /// The sessions that keep workers away.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.0
            .iter()
            .map(|place| place.load(SeqCst))
            .filter(|pid| *pid != 0)
    }

    /// Whether workers have to stay away.
    pub fn any(&self) -> bool {
        self.pids().next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blockers_unblock_independently() {
        let blockers = Blockers::default();
        assert!(blockers.add(7) && blockers.add(8));
        blockers.remove(7);
        assert!(blockers.any());
        blockers.remove(8);
        assert!(!blockers.any());
    }
}
