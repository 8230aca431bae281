//! What this session knows of TVIEWs without a query: that they showed everything which was committed at an
//! earlier moment, and that no transaction has changed their sources since.
//!
//! Writers leave their ids in shared memory before they commit. If every transaction that has changed a source
//! had ended when the TVIEW was found up to date, then nothing is pending now. Definitions that change are
//! announced, and make the session read them again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use crate::catalog::tview_cache::KnownTviews;
use crate::postgres::stored_snapshot::StoredSnapshot;
use crate::postgres::transaction;
use crate::wake::queue_blocks::all_older;

#[derive(Default)]
struct Current {
    /// The definitions that this is known under.
    known: Rc<KnownTviews>,
    /// By TVIEW, a snapshot in which nothing was pending for it and for those that feed it.
    seen: HashMap<Oid, Rc<StoredSnapshot>>,
}

thread_local! {
    static CURRENT: RefCell<Current> = RefCell::default();
}

/// Whether nothing is pending for any of these TVIEWs, in the snapshot of a query. `snapshot` returns that
/// snapshot where it may be older than what is known.
pub fn is_current(
    tviews: &[Oid],
    known: &Rc<KnownTviews>,
    snapshot: impl FnOnce() -> Option<StoredSnapshot>,
) -> bool {
    CURRENT.with_borrow(|current| {
        if !Rc::ptr_eq(&current.known, known) {
            return false;
        }
        let is_unchanged = |tview: &Oid| {
            let (Some(seen), Some(known)) = (current.seen.get(tview), known.get(tview)) else {
                return false;
            };
            all_older(
                known.sources.iter().copied().chain([*tview]),
                seen.lowest_unseen(),
            )
        };
        if !tviews.iter().all(is_unchanged) {
            return false;
        }
        let snapshot = snapshot();
        snapshot.is_none_or(|snapshot| {
            let seen = |tview| current.seen.get(tview);
            tviews
                .iter()
                .filter_map(seen)
                .all(|seen| snapshot.is_surely_ahead_of(seen))
        })
    })
}

/// Nothing is pending for these TVIEWs in the active snapshot. Changes of this transaction are not in it, and
/// would be taken for seen: then nothing is kept.
pub fn keep(tviews: &[Oid], known: &Rc<KnownTviews>) {
    if transaction::has_xid() || transaction::in_recovery() {
        return;
    }
    let seen = Rc::new(StoredSnapshot::of_active());
    CURRENT.with_borrow_mut(|current| {
        if !Rc::ptr_eq(&current.known, known) {
            current.known = known.clone();
            current.seen.clear();
        }
        for tview in tviews {
            current.seen.insert(*tview, seen.clone());
        }
    });
}
