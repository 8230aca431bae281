//! 1. Row change -> buffer of this process -> `pg_tview_queue`.
//!
//! ```text
//! row trigger -> plan (which columns) -> change key -> buffer, one level per subtransaction
//!                                                        |
//!                         PRE_COMMIT, PRE_PREPARE, full  v
//!                                               pg_tview_queue -> after COMMIT: wake a worker
//! ```
//!
//! Capture runs inside the transactions of users. Where capture does not understand a change, all keys of the
//! source count as changed: never too few, and the statement does not fail.

pub mod change_buffer;
pub mod change_history;
pub mod flush;
mod key_set;
mod net_changes;
pub mod plan;
pub mod shown;

use std::cell::Cell;

use pgrx::pg_sys::Oid;

use crate::postgres::column::Row;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::inheritance;
use crate::postgres::triggers::capture::{CaptureCall, Operation};
use crate::settings;
use net_changes::RowChange;
use plan::CapturePlan;

/// The transaction callbacks of capture.
pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: on_subtransaction,
};

pub use flush::{check_definition, pending_sources};

::pgrx::extension_sql_file!(
    "../../sql/install/capture.sql",
    name = "capture",
    requires = ["relations"]
);

fn on_transaction(event: TransactionEvent) {
    shown::on_transaction(event);
    flush::on_transaction(event);
}

fn on_subtransaction(event: SubtransactionEvent) {
    shown::on_subtransaction(event);
    flush::on_subtransaction(event);
}

/// Requests that keys of a TVIEW (JSON objects as text; None: all keys) are recomputed once the caller
/// commits.
pub fn request_refresh(tview: Oid, keys: Option<Vec<String>>) {
    let keys = keys.as_ref().map(|keys| keys.iter().map(|key| key.as_bytes()));
    flush::record(tview, Operation::Refresh, keys);
}

/// Records that all rows of a source may have changed.
pub fn mark_all_rows(source: Oid) {
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
        (None, None) => capture_all(plan.source, call.operation),
        (old, new) => {
            let same = matches!((&old, &new), (Some(old), Some(new)) if plan.same_key(old, new));
            // First: at the end of the transaction, keys are written at once.
            capture_net(&plan, call.operation, old, new);
            for row in [old.filter(|_| !same), new].into_iter().flatten() {
                capture_key(&plan, call.operation, &row);
            }
        }
    }
}

/// TRUNCATE, or a statement trigger that a user has created: all keys. TRUNCATE of a leaf partition fires no
/// trigger of the partitioned tables above the leaf, so these are marked as well.
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

/// Notes how a row has changed. Where no net change is told, this is noted once.
fn capture_net(plan: &CapturePlan, operation: Operation, old: Option<Row>, new: Option<Row>) {
    if !plan.tells_net() {
        return flush::record_net(plan.source, operation, RowChange::Unknown);
    }
    if matches!((&old, &new), (Some(old), Some(new)) if plan.same_image(old, new)) {
        return flush::record_net(plan.source, operation, RowChange::Images(None, None));
    }
    let image = |row: Option<Row>| {
        let mut image = Vec::new();
        row.is_none_or(|row| plan.write_image(&row, &mut image))
            .then_some(image)
    };
    let change = match (image(old), image(new)) {
        (Some(before), Some(after)) => {
            let before = old.is_some().then_some(&before[..]);
            let after = new.is_some().then_some(&after[..]);
            return flush::record_net(plan.source, operation, RowChange::Images(before, after));
        }
        _ => RowChange::Unknown,
    };
    flush::record_net(plan.source, operation, change);
}

fn capture_key(plan: &CapturePlan, operation: Operation, row: &Row) {
    thread_local! {
        static KEY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out while in use: an output function may run SQL that changes a source.
    let mut key = KEY.take();
    key.clear();
    if plan.write_key(row, &mut key) {
        flush::record(plan.source, operation, Some([key.as_slice()]));
    } else {
        capture_all(plan.source, operation);
    }
    KEY.set(key);
}
