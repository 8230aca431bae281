//! Which relations changed their definition lately: whatever was built from the definitions must be built
//! again.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::{const_mutex, Mutex, MutexGuard};
use pgrx::pg_sys::Oid;

/// More changed relations than this are remembered as "any".
const REMEMBERED: usize = 4096;

struct Changes {
    clock: u64,
    /// When any relation may have changed.
    any: u64,
    /// When a relation changed last, by OID.
    by_relation: BTreeMap<u32, u64>,
}

/// Changes of this process. An invalidation can arrive while they are being read; then it is only recorded in
/// `MISSED`.
static CHANGES: Mutex<Changes> = const_mutex(Changes {
    clock: 0,
    any: 0,
    by_relation: BTreeMap::new(),
});
static MISSED: AtomicBool = AtomicBool::new(false);

/// Relation cache callback, see [`super::hooks::invalidation`].
pub fn note(relation: Oid) {
    match CHANGES.try_lock() {
        Some(mut changes) => changes.note(relation),
        None => MISSED.store(true, Relaxed),
    }
}

/// A change that may affect any relation.
pub fn note_any() {
    note(Oid::INVALID);
}

/// A moment to compare with later.
pub fn stamp() -> u64 {
    read().clock
}

/// Whether no relation that `concerns` accepts has changed since the stamp.
pub fn unchanged_since(stamp: u64, concerns: impl Fn(Oid) -> bool) -> bool {
    let changes = read();
    let changed = |(relation, at): (&u32, &u64)| *at > stamp && concerns(Oid::from(*relation));
    changes.any <= stamp && !changes.by_relation.iter().any(changed)
}

fn read() -> MutexGuard<'static, Changes> {
    let mut changes = CHANGES.lock();
    if MISSED.swap(false, Relaxed) {
        changes.note(Oid::INVALID);
    }
    changes
}

impl Changes {
    fn note(&mut self, relation: Oid) {
        self.clock += 1;
        if relation == Oid::INVALID || self.by_relation.len() >= REMEMBERED {
            self.any = self.clock;
            self.by_relation.clear();
        } else {
            self.by_relation.insert(relation.to_u32(), self.clock);
        }
    }
}
