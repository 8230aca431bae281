//! The changes of this transaction that previews show, and how far each preview has shown them.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;

use super::change_history::{ChangeHistory, Changes};
use crate::postgres::hooks::executor::{announce_queries, announces_queries};
use crate::postgres::hooks::transaction_events::{self, SubtransactionEvent, TransactionEvent};
use crate::postgres::process::memory;

thread_local! {
    static HISTORY: RefCell<ChangeHistory> = RefCell::default();
}

/// Notes that the row behind a key of a source changed; None: all rows.
#[inline]
pub fn note(level: u32, source: u32, key: Option<&[u8]>) {
    HISTORY.with_borrow_mut(|history| {
        memory::room(history.growth(key.map_or(0, <[u8]>::len)));
        history.add(level, source, key);
    });
    announce_queries(true);
}

/// What the reader (a TVIEW) has not been shown of these sources; None: nothing, or nothing since a preview
/// of it failed.
pub fn not_shown(reader: Oid, sources: &[Oid]) -> Option<Changes> {
    let sources: Vec<u32> = sources.iter().map(|source| source.to_u32()).collect();
    HISTORY.with_borrow(|history| {
        memory::room(2 * history.bytes());
        history.not_shown(reader.to_u32(), &sources)
    })
}

/// All changes of these sources; None without any.
pub fn all_of(sources: &[Oid]) -> Option<Changes> {
    if HISTORY.with_borrow(ChangeHistory::is_empty) {
        return None;
    }
    // A reader that never was shown anything.
    not_shown(Oid::INVALID, sources)
}

/// Whether the reader was shown changes.
pub fn to(reader: Oid) -> bool {
    HISTORY.with_borrow(|history| history.was_shown(reader.to_u32()))
}

/// Notes that the reader was shown what [`not_shown`] returned, or could not be. A rollback of the current
/// subtransaction undoes the note.
pub fn mark(reader: Oid, upto: usize, shown: bool) {
    let level = transaction_events::current_subtransaction();
    HISTORY.with_borrow_mut(|history| history.mark(level, reader.to_u32(), upto, shown));
}

/// Transaction callback. After the commit nothing here allocates or raises.
pub fn on_transaction(event: TransactionEvent) {
    announce_queries(false);
    match event {
        TransactionEvent::BeforeEnd => {}
        TransactionEvent::Committed | TransactionEvent::Prepared | TransactionEvent::Aborted => {
            HISTORY.with(|history| {
                if let Ok(mut history) = history.try_borrow_mut() {
                    history.clear();
                }
            });
        }
    }
}

/// Subtransaction callback.
pub fn on_subtransaction(event: SubtransactionEvent) {
    match event {
        SubtransactionEvent::BeforeCommit { .. } => {}
        SubtransactionEvent::Committed {
            subtransaction,
            parent,
        } => HISTORY.with_borrow_mut(|history| history.committed(subtransaction, parent)),
        SubtransactionEvent::Aborted { subtransaction } => HISTORY.with_borrow_mut(|history| {
            history.rolled_back(subtransaction);
            announce_queries(!history.is_empty() && announces_queries());
        }),
    }
}
