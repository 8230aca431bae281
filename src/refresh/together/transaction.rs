//! What the refreshes of one transaction share.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use pgrx::pg_sys::Oid;

use crate::capture::{self, WrittenSource};
use crate::catalog::tview_cache;
use crate::postgres::spi;
use crate::postgres::transaction::own_xid;
use crate::queue::append;
use crate::queue::position::Position;
use crate::refresh::audit::{self, Entry};
use crate::refresh::running::forget;
use crate::refresh::tally;
use crate::settings;

/// A transaction applies so many times as many keys as a refresh of one TVIEW. Readers and writers of the rows wait for
/// locks as long as it takes.
const TIMES_AS_MANY: usize = 10;

/// The transaction.
pub struct Together {
    /// The snapshot, and the same after the end of the transaction.
    positions: RefCell<Option<(Position, Position)>>,
    /// How many keys it may still recompute.
    keys_left: Cell<usize>,
    /// When the oldest change was made that it applies.
    oldest: Cell<Option<i64>>,
    applied: RefCell<Vec<Applied>>,
    /// Sources that it has changed.
    changed: RefCell<HashSet<Oid>>,
}

/// A TVIEW whose changes are applied.
struct Applied {
    tview: Oid,
    sources: Vec<Oid>,
    entry: Entry,
    /// One of its sources was changed by this transaction after its changes were read.
    is_overtaken: bool,
}

impl Default for Together {
    fn default() -> Together {
        Together {
            positions: RefCell::new(None),
            keys_left: Cell::new(settings::batch_size().saturating_mul(TIMES_AS_MANY)),
            oldest: Cell::new(None),
            applied: RefCell::default(),
            changed: RefCell::default(),
        }
    }
}

impl Together {
    /// The position of the TVIEWs after this transaction: what its snapshot shows, and what the transaction itself
    /// writes. It gets its id now. Ids that were given out since the snapshot are listed, so that is not done later.
    pub fn position(&self, snapshot: &Position) -> Position {
        let mut positions = self.positions.borrow_mut();
        let after = || (snapshot.clone(), snapshot.clone().with_ended(own_xid()));
        positions.get_or_insert_with(after).1.clone()
    }

    /// Whether so many keys may be recomputed, in addition to those so far.
    pub fn take_keys(&self, keys: usize) -> bool {
        let left = self.keys_left.get().checked_sub(keys);
        self.keys_left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// What the transaction writes is as old as the oldest change that it has applied so far.
    pub fn pass_age_on(&self, entry: &Entry) {
        let since = entry.oldest_change_at.map(i64::from);
        let oldest = self.oldest.get().into_iter().chain(since).min();
        self.oldest.set(oldest);
        append::applies_since(oldest);
        tally::applies_since(entry.tview, since);
    }

    /// The changes of a TVIEW are applied. `entry`: its audit row, which is added at the end.
    pub fn applied(&self, tview: Oid, sources: Vec<Oid>, mut entry: Entry) {
        entry.keep_took(audit::now());
        self.applied.borrow_mut().push(Applied {
            tview,
            sources,
            entry,
            is_overtaken: false,
        });
    }

    /// Writes what was changed since the last call to the queue, where the TVIEWs that follow read it. False: the next
    /// ones could not know which rows changed.
    pub fn write_changes(&self) -> bool {
        let written = capture::write_now();
        let mut applied = self.applied.borrow_mut();
        for applied in applied.iter_mut() {
            applied.is_overtaken |= written.iter().any(|written| applied.follows(written));
        }
        let changed = written.iter().filter(|written| !written.requested);
        self.changed
            .borrow_mut()
            .extend(changed.map(|written| written.source));
        !written.iter().any(|written| written.all_keys)
    }

    /// Adds the audit rows, which move the positions. A TVIEW whose source a trigger has changed later reads that change
    /// next time. Under the snapshot, inside an SPI session.
    pub fn complete(&self) {
        let absorbed = self.absorbed();
        let positions = self.positions.take();
        for mut applied in self.applied.take() {
            tally::of_member(applied.tview);
            if applied.is_overtaken {
                applied.entry.position = positions.as_ref().map(|(snapshot, _)| snapshot.clone());
                // Stored groups were moved to the other position.
                spi::session(|| forget::throw_away(applied.tview));
            }
            audit::add(applied.entry);
        }
        capture::complete(&absorbed);
    }

    /// Sources that this transaction has changed, and whose changes every TVIEW has absorbed that reads them.
    fn absorbed(&self) -> Vec<Oid> {
        let mut changed = self.changed.take();
        let known = match tview_cache::all() {
            Ok(known) if !changed.is_empty() => known,
            _ => return Vec::new(),
        };
        let applied = self.applied.borrow();
        let absorbs = |tview: Oid| {
            let mut applied = applied.iter();
            applied.any(|applied| applied.tview == tview && !applied.is_overtaken)
        };
        for (tview, known) in known.iter() {
            if !absorbs(*tview) {
                known.sources.iter().for_each(|source| {
                    changed.remove(source);
                });
            }
        }
        changed.into_iter().collect()
    }
}

impl Applied {
    fn follows(&self, written: &WrittenSource) -> bool {
        if written.requested {
            written.source == self.tview
        } else {
            written.source != self.tview && self.sources.contains(&written.source)
        }
    }
}
