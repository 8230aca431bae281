//! Keeps queue rows that a TVIEW will need whose position other sessions cannot see yet.
//!
//! A transaction that creates and populates a TVIEW holds a lock on each of its sources until its end. The
//! trimmer leaves sources alone that are locked. Transactions that keep rows share these locks, and neither
//! side waits longer than a batch of the trimmer takes.

use pgrx::pg_sys::Oid;

use super::look;
use crate::postgres::extension;
use crate::postgres::transaction::lock::{self, ObjectLock};

/// Maximum number of sources to lock for trimming: the lock table has room for so many in any case.
const MAXIMUM_LOCKED: usize = 500;

/// Keeps queue rows of these sources that are written from now on, until the transaction ends.
pub fn keep(sources: &[Oid]) {
    let Some(queue) = extension::relation(c"pg_tview_queue") else {
        return;
    };
    for source in sources {
        lock::object_as(queue, *source, ObjectLock::Share);
    }
    // Last: a trimmer that gets this lock does not try the locks of the sources.
    lock::object_as(queue, queue, ObjectLock::Share);
}

/// Sources whose rows may be trimmed; None: all sources. A transaction that released its locks before has a
/// position that the next snapshot shows.
pub(super) fn not_kept(queue: Oid) -> Option<Vec<Oid>> {
    if lock::try_object(queue, queue, ObjectLock::Exclusive) {
        return None;
    }
    let queued = look::look(None).map(|look| look.sources).unwrap_or_default();
    let not_kept = queued
        .into_iter()
        .filter(|source| lock::try_object(queue, *source, ObjectLock::Exclusive))
        .take(MAXIMUM_LOCKED)
        .collect();
    Some(not_kept)
}
