//! 1. Row change -> backend-local buffer -> `pg_tview_queue`.
//!
//! ```text
//! row trigger -> plan (which columns) -> change key -> buffer, one level per subtransaction
//!                                                        |
//!                         PRE_COMMIT, PRE_PREPARE, full  v
//!                                               pg_tview_queue -> after COMMIT: wake a worker
//! ```
//!
//! Runs inside other people's transactions: whatever is unknown or odd captures more, never less, and never
//! fails the statement.

pub mod change_buffer;
pub mod change_history;
pub mod flush;
mod key_set;
pub mod plan;
pub mod trigger_arguments;

use std::cell::Cell;

use pgrx::pg_sys::Oid;

use crate::postgres::column::Row;
use crate::postgres::hooks::transaction_events::Handlers;
use crate::postgres::inheritance;
use crate::postgres::triggers::capture::{CaptureCall, Operation};
use crate::settings;

use plan::CapturePlan;

/// What capture wants to know of transactions.
pub const HANDLERS: Handlers = Handlers {
    transaction: flush::on_transaction,
    subtransaction: flush::on_subtransaction,
};

pub use flush::{mark_seen, pending_sources, unseen};

::pgrx::extension_sql_file!(
    "../../sql/install/capture.sql",
    name = "capture",
    requires = ["relations"]
);

/// Asks for keys of a TVIEW (JSON objects as text; none: all of it) to be recomputed when the caller commits.
pub fn request_refresh(tview: Oid, keys: Option<Vec<String>>) {
    let keys = keys.as_ref().map(|keys| keys.iter().map(|key| key.as_bytes()));
    flush::record(tview, Operation::Refresh, keys);
}

/// Logs that the definition of a TVIEW is to be looked at: DDL may have changed what its view returns.
pub fn look_again(tview: Oid) {
    flush::look_again(tview);
}

/// Logs that any row of a source may have changed.
pub fn every_row(source: Oid) {
    capture_all(source, Operation::Truncate);
}

/// Body of the capture trigger.
pub fn capture(call: &CaptureCall) {
    if !call.for_each_row {
        return capture_statement(call);
    }
    let plan = CapturePlan::of(call);
    if !settings::capture() {
        return capture_all(plan.source, call.operation);
    }
    let width = if call.operation == Operation::Update {
        plan.update_width
    } else {
        plan.key_width
    };
    match (call.old_row(width), call.new_row(width)) {
        (Some(old), Some(new)) if !plan.changed(&old, &new) => {}
        (Some(old), Some(new)) if plan.same_key(&old, &new) => capture_key(&plan, call.operation, &new),
        (None, None) => capture_all(plan.source, call.operation),
        (old, new) => {
            for row in [old, new].into_iter().flatten() {
                capture_key(&plan, call.operation, &row);
            }
        }
    }
}

/// TRUNCATE, or a statement trigger somebody made: all keys. TRUNCATE of a leaf fires no trigger of the
/// partitioned tables above it, so they are marked too.
fn capture_statement(call: &CaptureCall) {
    capture_all(call.relation(), call.operation);
    if call.is_partition() {
        for ancestor in inheritance::ancestors(call.relation()) {
            capture_all(ancestor, call.operation);
        }
    }
}

fn capture_all(source: Oid, operation: Operation) {
    flush::record(source, operation, None::<[&[u8]; 0]>);
}

fn capture_key(plan: &CapturePlan, operation: Operation, row: &Row) {
    thread_local! {
        static KEY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out while in use: an output function may run SQL that comes back here.
    let mut key = KEY.take();
    key.clear();
    match plan.write_key(row, &mut key) {
        true => flush::record(plan.source, operation, Some([key.as_slice()])),
        false => capture_all(plan.source, operation),
    }
    KEY.set(key);
}
