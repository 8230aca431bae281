//! The buffer of this process, and when it goes to `pg_tview_queue`: before the end of the transaction, early
//! when it is full, at once if the end has already begun.

use std::cell::RefCell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::Oid;

use super::change_buffer::{ChangeBuffer, Limits, QueueRow};
use super::change_history::{Changes, Unseen};
use crate::error::Problem;
use crate::postgres::extension;
use crate::postgres::heap_insert::{self, Value};
use crate::postgres::hooks::executor::{announce_queries, announces_queries};
use crate::postgres::hooks::invalidation;
use crate::postgres::hooks::transaction_events::{self, SubtransactionEvent, TransactionEvent};
use crate::postgres::process::memory;
use crate::postgres::transaction::catch;
use crate::postgres::triggers::capture::Operation;
use crate::wake::signal;

struct State {
    buffer: ChangeBuffer,
    /// The transaction's own flush is over: another extension's callback that still writes is written through.
    ending: bool,
    /// Sources with rows in the queue, ready for the COMMIT callback, which must not allocate.
    flushed: Vec<Oid>,
    /// TVIEWs whose definition is to be looked at, each with the subtransaction that said so.
    looks: Vec<(u32, Oid)>,
}

thread_local! {
    /// What previews of this transaction have not shown yet.
    static UNSEEN: RefCell<Unseen> = RefCell::default();
    static STATE: RefCell<State> = const {
        RefCell::new(State {
            buffer: ChangeBuffer::new(Limits::DEFAULT),
            ending: false,
            flushed: Vec::new(),
            looks: Vec::new(),
        })
    };
}

/// Adds keys of a source (none: all keys) at the current subtransaction.
pub fn record<'k>(source: Oid, operation: Operation, keys: Option<impl IntoIterator<Item = &'k [u8]>>) {
    memory::check();
    let level = transaction_events::current_subtransaction();
    let source = source.to_u32();
    let write_now = STATE.with_borrow_mut(|state| {
        let mut full = false;
        match keys {
            None => {
                state.buffer.add_all(level, source, operation);
                note(state, level, source, operation, None);
            }
            Some(keys) => {
                for key in keys {
                    full |= state.buffer.add(level, source, operation, key);
                    note(state, level, source, operation, Some(key));
                }
            }
        }
        full || state.ending
    });
    if write_now {
        write(STATE.with_borrow_mut(|state| match state.ending {
            true => state.buffer.take_rest(),
            false => state.buffer.take_full(level),
        }));
    }
}

/// For previews. Requests are none of their business: they take effect at commit.
fn note(state: &State, level: u32, source: u32, operation: Operation, key: Option<&[u8]>) {
    if operation != Operation::Refresh && !state.ending {
        UNSEEN.with_borrow_mut(|unseen| {
            memory::room(unseen.growth(key.map_or(0, <[u8]>::len)));
            unseen.add(level, source, key);
        });
        announce_queries(true);
    }
}

/// What the reader (a TVIEW) has not been shown of these sources, if it could be.
pub fn unseen(reader: Oid, sources: &[Oid]) -> Option<Changes> {
    let sources: Vec<u32> = sources.iter().map(|source| source.to_u32()).collect();
    UNSEEN.with_borrow(|unseen| {
        memory::room(2 * unseen.bytes());
        unseen.of(reader.to_u32(), &sources)
    })
}

/// The reader has been shown what [`unseen`] returned, or could not be. Holds for the current subtransaction.
pub fn mark_seen(reader: Oid, upto: usize, shown: bool) {
    let level = transaction_events::current_subtransaction();
    UNSEEN.with_borrow_mut(|unseen| unseen.mark(level, reader.to_u32(), upto, shown));
}

/// Asks for a refresh of no key, which looks at the definition first. Written at once: it is not a change that another could
/// be merged with.
pub fn look_again(tview: Oid) {
    let look = (transaction_events::current_subtransaction(), tview);
    let known = STATE.with_borrow_mut(|state| {
        let known = state.looks.contains(&look);
        if !known {
            state.looks.push(look);
        }
        known
    });
    if !known {
        // Plans that were made for it are made again, whatever it is that was touched.
        invalidation::announce(tview);
        write(vec![QueueRow {
            source: tview.to_u32(),
            operation: "REFRESH",
            keys: Some(b"[]".to_vec()),
        }]);
    }
}

/// Sources changed by this transaction so far, in the queue or not. DDL that made TVIEWs look again is none of these: it is not
/// waited for before it is committed.
pub fn pending_sources() -> Vec<Oid> {
    STATE.with_borrow(|state| {
        let mut sources = state.flushed.clone();
        sources.retain(|source| !state.looks.iter().any(|(_, tview)| tview == source));
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
            announce_queries(false);
            write(STATE.with_borrow_mut(|state| {
                state.ending = true;
                // What subtransactions have left is put together, and written as the image of a document.
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
        } => {
            STATE.with_borrow_mut(|state| state.buffer.committed(subtransaction, parent));
            UNSEEN.with_borrow_mut(|unseen| unseen.committed(subtransaction, parent));
        }
        SubtransactionEvent::Aborted { subtransaction } => {
            STATE.with_borrow_mut(|state| state.buffer.rolled_back(subtransaction));
            UNSEEN.with_borrow_mut(|unseen| {
                unseen.rolled_back(subtransaction);
                announce_queries(!unseen.is_empty() && announces_queries());
            });
        }
    }
}

/// Runs after the point of no return: nothing here allocates or raises.
fn end(signal: impl FnOnce(&State)) {
    announce_queries(false);
    UNSEEN.with(|unseen| {
        if let Ok(mut unseen) = unseen.try_borrow_mut() {
            unseen.clear();
        }
    });
    STATE.with(|state| {
        if let Ok(mut state) = state.try_borrow_mut() {
            signal(&state);
            state.buffer.clear();
            state.flushed.clear();
            state.ending = false;
            state.looks.clear();
        }
    });
}

/// What a row of the queue is given.
const COLUMNS: [&CStr; 5] = [c"xid", c"source_oid", c"operation", c"keys", c"enqueued_at"];

/// Writes rows under the current subtransaction. If it fails, so does the (sub)transaction they belong to.
fn write(rows: Vec<QueueRow>) {
    if rows.is_empty() {
        return;
    }
    // Dropped by this very transaction: nobody is left to read them.
    let Some(queue) = extension::relation(c"pg_tview_queue") else {
        return;
    };
    STATE.with_borrow_mut(|state| {
        for row in &rows {
            let source = Oid::from(row.source);
            if !state.flushed.contains(&source) {
                state.flushed.push(source);
            }
        }
    });
    let (xid, now) = (heap_insert::top_transaction_id(), heap_insert::clock());
    let rows = rows.iter().map(|row| {
        [
            Value::Xid8(xid),
            Value::Oid(row.source.into()),
            Value::Text(row.operation),
            row.keys.as_deref().map_or(Value::Null, Value::Jsonb),
            Value::Timestamp(now),
        ]
    });
    if let Err(caught) = catch(AssertUnwindSafe(|| heap_insert::insert(queue, &COLUMNS, rows))) {
        let what = "This happened while recording changes for TVIEWs in pg_tview_queue.";
        let detail = caught.detail.iter().map(String::as_str).chain([what]);
        let detail = detail.collect::<Vec<_>>().join("\n");
        Problem::from(caught).detail(detail).raise();
    }
}
