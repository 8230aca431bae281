//! The commands of this transaction that were previews and nothing else. A query may share the snapshot of a
//! statement that started before them. It may still see what they wrote, since it sees nothing else besides.

use std::cell::RefCell;

use crate::postgres::hooks::executor::Query;
use crate::postgres::transaction;
use crate::postgres::transaction::query_snapshot::OtherTransactions;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Previews {
    /// Commands from `first` up to, not including, `end`.
    first: u32,
    end: u32,
    /// What the last of them saw of other transactions.
    others: OtherTransactions,
}

impl Previews {
    /// Together with later previews, if nothing else was done in between.
    fn then(self, first: u32, end: u32, others: OtherTransactions) -> Previews {
        let first = if self.end == first { self.first } else { first };
        Previews { first, end, others }
    }

    fn covers(&self, command: u32) -> bool {
        (self.first..self.end).contains(&command)
    }
}

thread_local! {
    static PREVIEWS: RefCell<Option<Previews>> = const { RefCell::new(None) };
}

/// Commands from `first` to before `end` were previews.
pub fn note(first: u32, end: u32, others: OtherTransactions) {
    let previews = match PREVIEWS.take() {
        Some(before) => before.then(first, end, others),
        None => Previews { first, end, others },
    };
    PREVIEWS.replace(Some(previews));
}

/// Lets a query see the previews made since its snapshot was taken.
pub fn see(query: &mut Query) {
    let previews = PREVIEWS.with_borrow(|previews| previews.clone());
    let Some(previews) = previews.filter(|previews| previews.covers(query.command())) else {
        return;
    };
    // A preview may have updated rows that were committed after the query's snapshot. The query would then
    // find two versions of them.
    let newest = query.other_transactions() != previews.others
        && transaction::is_read_committed()
        && !query.reads_fresh_view();
    query.see_until(previews.end, newest);
}

/// The transaction is over.
pub fn forget() {
    PREVIEWS.take();
}
