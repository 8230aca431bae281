//! Since when the transaction ids at blocks of the queue are complete in a database.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use crate::postgres::transaction;

/// See [`super::queue_blocks`].
#[derive(Default)]
pub struct Known {
    /// The database and the file of the table that this is known of; 0: of none.
    file: AtomicU64,
    /// Each row of this or a later transaction has left its id. Grows whenever rows may have moved.
    since: AtomicU64,
    /// The value of `since` at which a reader has begun that then left the ids of all rows: all ids are
    /// complete while `since` is the same.
    noted: AtomicU64,
}

impl Known {
    /// The first transaction whose rows have left their ids, in this file of the table.
    pub(super) fn since(&self, database: Oid, file: u32) -> u64 {
        let file = u64::from(database.to_u32()) << 32 | u64::from(file);
        if self.file.load(SeqCst) != file {
            self.forget();
            self.file.store(file, SeqCst);
        }
        self.since.load(SeqCst)
    }

    /// Rows of earlier transactions may be in any block.
    pub(super) fn forget(&self) {
        let next = transaction::next_xid();
        // Never the same number twice: a reader that began before must not count as one that has seen all.
        let later = |since: u64| Some(next.max(since + 1));
        let _ = self.since.fetch_update(SeqCst, SeqCst, later);
    }

    /// Whether a reader has left the ids of all rows since then.
    pub(super) fn is_noted(&self, since: u64) -> bool {
        self.noted.load(SeqCst) == since
    }

    /// A reader that began at that number has left the ids of all rows.
    pub(super) fn all_noted(&self, since: u64) {
        self.noted.store(since, SeqCst);
    }

    /// Another database takes the place.
    pub(super) fn release(&self) {
        self.file.store(0, SeqCst);
    }
}
