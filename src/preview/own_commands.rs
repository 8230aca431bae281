//! The commands of this transaction that were previews and nothing else. A query that shares the snapshot of a statement
//! which started before them may see what they wrote: nothing else comes with it.

use std::cell::RefCell;

use crate::postgres::hooks::executor::Query;
use crate::postgres::transaction;
use crate::postgres::transaction::query_snapshot::Others;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Shown {
    /// Commands from `first` up to, not including, `end`.
    first: u32,
    end: u32,
    /// What the last of them saw of others.
    others: Others,
}

impl Shown {
    /// With the previews made since, if nothing else was done in between.
    fn then(self, first: u32, end: u32, others: Others) -> Shown {
        let first = if self.end == first { self.first } else { first };
        Shown { first, end, others }
    }

    fn covers(&self, command: u32) -> bool {
        (self.first..self.end).contains(&command)
    }
}

thread_local! {
    static SHOWN: RefCell<Option<Shown>> = const { RefCell::new(None) };
}

/// Commands from `first` to before `end` were previews.
pub fn note(first: u32, end: u32, others: Others) {
    let shown = match SHOWN.take() {
        Some(before) => before.then(first, end, others),
        None => Shown { first, end, others },
    };
    SHOWN.replace(Some(shown));
}

/// Lets a query see the previews made since its snapshot was taken.
pub fn see(query: &mut Query) {
    let shown = SHOWN.with_borrow(|shown| shown.clone());
    let Some(shown) = shown.filter(|shown| shown.covers(query.command())) else {
        return;
    };
    // A preview may have written on top of rows that were committed after the query's snapshot: of those it would find
    // two versions.
    let newest = query.others() != shown.others && transaction::is_read_committed();
    query.see_until(shown.end, newest);
}

/// The transaction is over.
pub fn forget() {
    SHOWN.take();
}
