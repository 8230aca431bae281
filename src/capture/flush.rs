//! The change buffer of this process, and when its keys go to `pg_tview_queue`.
//!
//! Keys are written before the end of the transaction; earlier when the buffer is full. A change made after
//! that, by a callback of another extension, is written immediately.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::change_buffer::{ChangeBuffer, Limits};
use super::net_changes::RowChange;
use super::shown;
use crate::error::Problem;
use crate::postgres::hooks::invalidation;
use crate::postgres::hooks::transaction_events::{self, SubtransactionEvent, TransactionEvent};
use crate::postgres::process::memory;
use crate::postgres::triggers::capture::Operation;
use crate::queue::append;
use crate::queue::row::Row;
use crate::wake::signal;

struct State {
    buffer: ChangeBuffer,
    /// The buffer was written for the end of the transaction.
    ending: bool,
    /// Sources with rows in the queue. Kept ready for the callback after COMMIT, which must not allocate.
    flushed: Vec<Oid>,
    /// TVIEWs whose definition is to be checked, each with the subtransaction that asked for it.
    definition_checks: Vec<(u32, Oid)>,
    /// In a transaction that refreshes several TVIEWs: what was written since they asked last.
    asked: Option<Vec<WrittenSource>>,
    /// That transaction has added its positions: nothing may be written any more.
    complete: bool,
}

/// A source with rows in the queue that this transaction has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrittenSource {
    pub source: Oid,
    /// The TVIEW `source` was requested to be refreshed.
    pub requested: bool,
    /// All rows of the source.
    pub all_keys: bool,
}

thread_local! {
    static STATE: RefCell<State> = const {
        RefCell::new(State {
            buffer: ChangeBuffer::new(Limits::DEFAULT),
            ending: false,
            flushed: Vec::new(),
            definition_checks: Vec::new(),
            asked: None,
            complete: false,
        })
    };
}

/// Adds keys of a source at the current subtransaction; None: all keys. The net change of the source becomes
/// unknown.
pub fn record<'k>(source: Oid, operation: Operation, keys: Option<impl IntoIterator<Item = &'k [u8]>>) {
    let unknown = |key| (key, RowChange::Unknown);
    record_changes(source, operation, keys.map(|keys| keys.into_iter().map(unknown)));
}

/// Adds the keys of one row of a source, and how the row has changed.
pub fn record_row<'k>(
    source: Oid,
    operation: Operation,
    change: RowChange<'k>,
    keys: impl Iterator<Item = &'k [u8]>,
) {
    let changes = std::iter::once(change).chain(std::iter::repeat(RowChange::TOLD));
    record_changes(source, operation, Some(keys.zip(changes)));
}

/// Whether an image of a row change would be kept, and is to be made.
pub fn keeps_images(source: Oid, operation: Operation) -> bool {
    STATE.with_borrow(|state| state.buffer.keeps_images(source.to_u32(), operation))
}

fn record_changes<'k>(
    source: Oid,
    operation: Operation,
    keys: Option<impl Iterator<Item = (&'k [u8], RowChange<'k>)>>,
) {
    memory::check();
    let level = transaction_events::current_subtransaction();
    let source = source.to_u32();
    let write_now = STATE.with_borrow_mut(|state| {
        // Requests take effect at commit: previews do not show them.
        let is_shown = operation != Operation::Refresh && !state.ending;
        let mut full = false;
        match keys {
            None => {
                state.buffer.add_all(level, source, operation);
                if is_shown {
                    shown::note(level, source, None);
                }
            }
            Some(keys) => {
                for (key, change) in keys {
                    full |= state.buffer.add(level, source, operation, key, change);
                    if is_shown {
                        shown::note(level, source, Some(key));
                    }
                }
            }
        }
        full || state.ending
    });
    if write_now {
        write(STATE.with_borrow_mut(|state| {
            if state.ending {
                state.buffer.take_rest()
            } else {
                state.buffer.take_full(level)
            }
        }));
    }
}

/// Requests a refresh that checks the definition of the TVIEW. The row is written immediately: no change
/// could be merged into it.
pub fn check_definition(tview: Oid) {
    let check = (transaction_events::current_subtransaction(), tview);
    let known = STATE.with_borrow_mut(|state| {
        let known = state.definition_checks.contains(&check);
        if !known {
            state.definition_checks.push(check);
        }
        known
    });
    if !known {
        // Every process discards its plans for the TVIEW, whichever object the DDL changed.
        invalidation::announce(tview);
        write(vec![Row::definition_check(tview)]);
    }
}

/// Writes the changes of this transaction so far, and returns which sources have had rows written since this was
/// called last, or since the transaction began. Outside subtransactions.
pub fn write_now() -> Vec<WrittenSource> {
    let rows = STATE.with_borrow_mut(|state| {
        state.asked.get_or_insert_default();
        memory::room(4 * state.buffer.bytes());
        state.buffer.take_rest()
    });
    write(rows);
    STATE.with_borrow_mut(|state| state.asked.replace(Vec::new()).unwrap_or_default())
}

/// This transaction has absorbed its own changes of some sources: no worker needs to know of these. Another change
/// would be lost, and is an ERROR.
pub fn complete(absorbed: &[Oid]) {
    STATE.with_borrow_mut(|state| {
        state.flushed.retain(|source| !absorbed.contains(source));
        state.complete = true;
    });
}

/// Whether the transaction is about to end: changes from now on are not noted for readers.
pub fn is_ending() -> bool {
    STATE.with_borrow(|state| state.ending)
}

/// Sources changed by this transaction so far, written or not. TVIEWs whose definition is to be checked are
/// left out: nothing waits for that check before the commit.
pub fn pending_sources() -> Vec<Oid> {
    STATE.with_borrow(|state| {
        let mut sources = state.flushed.clone();
        sources.retain(|source| !state.definition_checks.iter().any(|(_, tview)| tview == source));
        for source in state.buffer.sources().map(Oid::from) {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    })
}

/// Transaction callback, see [`transaction_events::register`].
pub fn on_transaction(event: TransactionEvent) {
    match event {
        TransactionEvent::BeforeEnd => {
            write(STATE.with_borrow_mut(|state| {
                state.ending = true;
                // The keys of all subtransactions are merged, then copied into the image of a document.
                memory::room(4 * state.buffer.bytes());
                state.buffer.take_rest()
            }));
        }
        TransactionEvent::Committed => end(|state| {
            if !state.flushed.is_empty() {
                signal::committed(&state.flushed);
            }
        }),
        TransactionEvent::Prepared | TransactionEvent::Aborted => end(|_| {}),
    }
}

/// Subtransaction callback, see [`transaction_events::register`].
pub fn on_subtransaction(event: SubtransactionEvent) {
    match event {
        SubtransactionEvent::BeforeCommit {
            subtransaction,
            parent,
        } => {
            write(STATE.with_borrow_mut(|state| state.buffer.take_before_merge(subtransaction, parent)));
        }
        SubtransactionEvent::Committed {
            subtransaction,
            parent,
        } => STATE.with_borrow_mut(|state| state.buffer.committed(subtransaction, parent)),
        SubtransactionEvent::Aborted { subtransaction } => {
            STATE.with_borrow_mut(|state| state.buffer.rolled_back(subtransaction));
        }
    }
}

/// Runs after the commit or rollback: nothing here allocates or raises.
fn end(signal: impl FnOnce(&State)) {
    STATE.with(|state| {
        if let Ok(mut state) = state.try_borrow_mut() {
            signal(&state);
            state.buffer.clear();
            state.flushed.clear();
            state.ending = false;
            state.definition_checks.clear();
            state.asked = None;
            state.complete = false;
        }
    });
    append::applies_since(None);
}

/// Writes rows in the current subtransaction.
fn write(rows: Vec<Row>) {
    if rows.is_empty() {
        return;
    }
    let Some(queue) = append::table() else {
        return;
    };
    let is_complete = STATE.with_borrow_mut(|state| {
        for row in &rows {
            let source = Oid::from(row.source);
            if !state.flushed.contains(&source) {
                state.flushed.push(source);
            }
            if let Some(asked) = &mut state.asked {
                asked.push(WrittenSource {
                    source,
                    requested: row.is_request(),
                    all_keys: row.keys.is_none(),
                });
            }
        }
        state.complete
    });
    if is_complete {
        too_late().raise();
    }
    append::append(queue, &rows);
}

fn too_late() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION,
        "a source was changed at the end of a transaction that refreshes TVIEWs together",
    )
}
