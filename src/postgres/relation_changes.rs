//! Which relations changed their definition lately, so that what was built from them is built again.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys::Oid;

/// More changed relations than this are remembered as "any".
const REMEMBERED: usize = 4096;

#[derive(Default)]
struct Changes {
    clock: u64,
    any: u64,
    by_relation: HashMap<Oid, u64>,
}

thread_local! {
    static CHANGES: RefCell<Changes> = RefCell::default();
    /// An invalidation came while the changes were being read.
    static MISSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Relation cache callback, see [`super::invalidation`].
pub fn note(relation: Oid) {
    CHANGES.with(|changes| match changes.try_borrow_mut() {
        Ok(mut changes) => changes.note(relation),
        Err(_) => MISSED.set(true),
    });
}

/// A moment to compare with later.
pub fn stamp() -> u64 {
    CHANGES.with(|changes| {
        let mut changes = changes.borrow_mut();
        changes.catch_up();
        changes.clock
    })
}

/// Whether no relation that `concerns` picks has changed since the stamp.
pub fn unchanged_since(stamp: u64, concerns: impl Fn(Oid) -> bool) -> bool {
    CHANGES.with(|changes| {
        let mut changes = changes.borrow_mut();
        changes.catch_up();
        changes.any <= stamp
            && !changes
                .by_relation
                .iter()
                .any(|(relation, at)| *at > stamp && concerns(*relation))
    })
}

impl Changes {
    fn note(&mut self, relation: Oid) {
        self.clock += 1;
        if relation == Oid::INVALID || self.by_relation.len() >= REMEMBERED {
            self.any = self.clock;
            self.by_relation.clear();
        } else {
            self.by_relation.insert(relation, self.clock);
        }
    }

    fn catch_up(&mut self) {
        if MISSED.take() {
            self.note(Oid::INVALID);
        }
    }
}
