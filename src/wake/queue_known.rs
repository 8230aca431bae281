//! Since when the transaction ids at blocks of the queue are complete in a database.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::postgres::transaction;

/// See [`super::queue_blocks`].
#[derive(Default)]
pub struct Known {
    /// The file of the table that this is known of; 0: of none.
    file: AtomicU32,
    /// Each row of this or a later transaction has left its id.
    since: AtomicU64,
}

impl Known {
    /// The first transaction whose rows have left their ids, in this file of the table.
    pub(super) fn since(&self, file: u32) -> u64 {
        if self.file.load(SeqCst) != file {
            self.forget();
            self.file.store(file, SeqCst);
        }
        self.since.load(SeqCst)
    }

    /// Rows of earlier transactions may be in any block.
    pub(super) fn forget(&self) {
        self.since.fetch_max(transaction::next_xid(), SeqCst);
    }

    /// Another database takes the place.
    pub(super) fn release(&self) {
        self.file.store(0, SeqCst);
    }
}
