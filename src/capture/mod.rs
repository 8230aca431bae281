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

pub mod bulk_load;
pub mod change_buffer;
pub mod change_history;
pub mod flush;
mod key_set;
pub mod net_changes;
pub mod plan;
pub mod shown;
pub mod unqueued;

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

pub use flush::{check_definition, complete, is_ending, pending_sources, write_now, WrittenSource};

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
    match changed_row(&plan, call) {
        None => {}
        Some([None, None]) => capture_all(plan.source, call.operation),
        Some([old, new]) => capture_row(&plan, call.operation, old, new),
    }
}

/// The row before and after a change; None if no TVIEW reads what has changed.
fn changed_row<'r>(plan: &CapturePlan, call: &CaptureCall<'r>) -> Option<[Option<Row<'r>>; 2]> {
    let width = if call.operation == Operation::Update {
        plan.update_width
    } else {
        plan.key_width
    };
    match (call.old_row(width), call.new_row(width)) {
        (Some(old), Some(new)) if !plan.changed(&old, &new) => None,
        (old, new) => Some([old, new]),
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

/// What is written of one changed row; reused, so that no row allocates.
#[derive(Default)]
struct Written {
    keys: [Vec<u8>; 2],
    images: [Vec<u8>; 2],
}

/// Taken out while in use: an output function may run SQL that changes a source.
fn with_written<R>(work: impl FnOnce(&mut Written) -> R) -> R {
    thread_local! {
        static WRITTEN: Cell<Written> = Cell::default();
    }
    let mut written = WRITTEN.take();
    let result = work(&mut written);
    WRITTEN.set(written);
    result
}

/// Records the keys of a row before and after a change, and its net change where one is told.
fn capture_row(plan: &CapturePlan, operation: Operation, old: Option<Row>, new: Option<Row>) {
    with_written(|Written { keys, images }| {
        let rows = to_write(plan, old, new);
        if write(rows, keys, |row, out| plan.write_key(row, out)) {
            let change = net_change(plan, operation, [old, new], images);
            flush::record_row(plan.source, operation, change, written(&rows, keys));
        } else {
            capture_all(plan.source, operation);
        }
    });
}

/// The versions of a row whose keys are written: the new one alone, if both have the same key.
fn to_write<'r>(plan: &CapturePlan, old: Option<Row<'r>>, new: Option<Row<'r>>) -> [Option<Row<'r>>; 2] {
    let same = matches!((&old, &new), (Some(old), Some(new)) if plan.same_key(old, new));
    [old.filter(|_| !same), new]
}

/// The keys of the rows that there are.
fn written<'k>(rows: &[Option<Row>; 2], keys: &'k [Vec<u8>; 2]) -> impl Iterator<Item = &'k [u8]> {
    let [old, new] = rows.each_ref().map(Option::is_some);
    let there = [old, new].into_iter().zip(keys);
    there.filter(|(there, _)| *there).map(|(_, key)| &key[..])
}

/// The net change of a row before and after; its images are written into `images`.
fn net_change<'i>(
    plan: &CapturePlan,
    operation: Operation,
    rows: [Option<Row>; 2],
    images: &'i mut [Vec<u8>; 2],
) -> RowChange<'i> {
    if !plan.tells_net() || !flush::keeps_images(plan.source, operation) {
        return RowChange::Unknown;
    }
    if matches!(&rows, [Some(old), Some(new)] if plan.same_image(old, new)) {
        return RowChange::TOLD;
    }
    if !write(rows, images, |row, out| plan.write_image(row, out)) {
        return RowChange::Unknown;
    }
    let [before, after] = &*images;
    RowChange::Images(
        rows[0].is_some().then_some(before),
        rows[1].is_some().then_some(after),
    )
}

/// Writes each row that there is into its buffer. False: one could not be written.
fn write(rows: [Option<Row>; 2], out: &mut [Vec<u8>; 2], one: impl Fn(&Row, &mut Vec<u8>) -> bool) -> bool {
    rows.iter().zip(out).all(|(row, out)| {
        out.clear();
        row.as_ref().is_none_or(|row| one(row, out))
    })
}
