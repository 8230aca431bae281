//! Which blocks of `pg_tview_queue` can have rows that a reader needs. This takes the place of an index,
//! which every writer would have to pay for.
//!
//! For each block, and for each source in a block, shared memory has the highest id of a transaction that
//! wrote a row there. Writers raise the ids before they commit. A reader whose snapshot shows a row loads
//! the ids after that snapshot was taken, and so finds the block of the row.
//!
//! Several blocks share an element. So an id may be too high, and a block is then read in vain. An id is
//! never too low, except for rows that were written before the server started, or that another command has
//! moved. [`Known`](super::queue_known::Known) says which rows these can be. A reader that may need such rows
//! reads all blocks, and leaves the ids of all rows in them. The next readers need not do that again.

use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::database::Database;
use super::hash::hash;
use crate::postgres::process;
use crate::postgres::process::shared_memory::SharedArray;
use crate::postgres::queue_scan::{Blocks, Choice, Search};
use crate::postgres::transaction;

/// So many that blocks share elements only in a queue of more than half a gigabyte. A power of two.
const BLOCKS: usize = 1 << 16;
/// More, as a block may have rows of several sources. A power of two.
const SOURCES: usize = 1 << 17;

/// So many that few sources share one. A power of two.
const NEWEST_PLACES: usize = 1 << 13;
/// Stands for all sources of a database.
const EVERY_SOURCE: Oid = Oid::INVALID;

/// Of each block, of all databases, the highest id of a transaction that wrote there.
pub(super) static BY_BLOCK: SharedArray<AtomicU64> =
    SharedArray::new(c"pg_tviews blocks of the queue", || BLOCKS);
/// The same of each source in each block.
pub(super) static BY_SOURCE: SharedArray<AtomicU64> =
    SharedArray::new(c"pg_tviews sources in blocks of the queue", || SOURCES);

/// The highest id of a transaction that wrote a row of a source, wherever the row is.
pub(super) static NEWEST: SharedArray<AtomicU64> =
    SharedArray::new(c"pg_tviews newest rows of sources", || NEWEST_PLACES);

/// What scans of the queue are given.
pub const KNOWN: Blocks = Blocks {
    choose,
    note,
    all_noted,
};

/// A transaction has written a row of a source to a block. Before the commit.
pub fn note(block: u32, source: Oid, xid: u64) {
    let ids = Ids::of_this_database();
    if let (Some(by_block), Some(by_source)) = (ids.of_block(block), ids.of_source(block, source)) {
        by_block.fetch_max(xid, SeqCst);
        by_source.fetch_max(xid, SeqCst);
    }
    note_newest(source, xid);
}

fn note_newest(source: Oid, xid: u64) {
    if let Some(newest) = newest_of(source) {
        newest.fetch_max(xid, SeqCst);
    }
}

/// Whether every row of these sources was written by a transaction with a lower id. Rows of transactions
/// that end later are included: a transaction leaves its id before it commits. False where that is not known.
pub fn all_older(sources: impl IntoIterator<Item = Oid>, than: u64) -> bool {
    !transaction::in_recovery()
        && sources.into_iter().chain([EVERY_SOURCE]).all(|source| {
            newest_of(source).is_some_and(|newest| match newest.load(SeqCst) {
                // Nothing is known of transactions that began before the server did. The next call knows
                // that no later one has written.
                0 => {
                    newest.fetch_max(transaction::next_xid() - 1, SeqCst);
                    false
                }
                newest => newest < than,
            })
        })
}

fn newest_of(source: Oid) -> Option<&'static AtomicU64> {
    let database = u64::from(process::database().to_u32());
    at(NEWEST.get(), hash(database << 32 | u64::from(source.to_u32())))
}

/// A statement of this transaction has written rows that left no ids.
pub fn forget() {
    note_newest(EVERY_SOURCE, transaction::own_xid());
    if let Some(database) = Database::find(process::database()) {
        database.queue_known.forget();
    }
}

/// The blocks that can have rows for this search.
fn choose(search: &Search) -> Choice {
    let ids = Ids::of_this_database();
    // Nobody notes anything on a standby.
    let known = match Database::find(process::database()) {
        Some(database) if !ids.by_block.is_empty() && !transaction::in_recovery() => &database.queue_known,
        _ => return Choice::All,
    };
    let since = known.since(process::database(), search.file);
    if search.first_xid < since && !known.is_noted(since) {
        return Choice::AllToNote(since);
    }
    Choice::These(ids.choose(search))
}

/// A reader that was given this number has left the ids of all rows.
fn all_noted(since: u64) {
    if let Some(database) = Database::find(process::database()) {
        database.queue_known.all_noted(since);
    }
}

/// The ids as one database uses them.
struct Ids {
    /// Differs between databases, so that they rarely share elements.
    start: u64,
    by_block: &'static [AtomicU64],
    by_source: &'static [AtomicU64],
}

impl Ids {
    fn of_this_database() -> Ids {
        Ids {
            start: hash(u64::from(process::database().to_u32())),
            by_block: BY_BLOCK.get(),
            by_source: BY_SOURCE.get(),
        }
    }

    /// Neighbouring blocks have neighbouring elements, so that a reader loads few cache lines.
    fn of_block(&self, block: u32) -> Option<&AtomicU64> {
        at(self.by_block, self.start.wrapping_add(u64::from(block)))
    }

    fn of_source(&self, block: u32, source: Oid) -> Option<&AtomicU64> {
        let of_source = hash(self.start << 32 | u64::from(source.to_u32()));
        at(self.by_source, hash(of_source << 32 | u64::from(block)))
    }

    fn choose(&self, search: &Search) -> Vec<Range<u32>> {
        let can_have = |block: &u32| {
            let is_recent = |id: Option<&AtomicU64>| id.is_none_or(|id| id.load(SeqCst) >= search.first_xid);
            is_recent(self.of_block(*block))
                && search.sources.is_none_or(|sources| {
                    sources
                        .iter()
                        .any(|source| is_recent(self.of_source(*block, *source)))
                })
        };
        let mut chosen: Vec<Range<u32>> = Vec::new();
        for block in (0..search.blocks).filter(can_have) {
            match chosen.last_mut() {
                Some(last) if last.end == block => last.end += 1,
                _ => chosen.push(block..block + 1),
            }
        }
        chosen
    }
}

/// An element of an array whose length is a power of two.
fn at(ids: &[AtomicU64], place: u64) -> Option<&AtomicU64> {
    ids.get(place as usize & ids.len().wrapping_sub(1))
}

#[cfg(test)]
mod tests;
