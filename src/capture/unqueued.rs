//! Capture of rows without PostgreSQL's queue of triggers: their keys are made while the statement runs, and
//! recorded when it has ended.

use super::plan::CapturePlan;
use super::{changed_row, flush, to_write, with_written, write, written, Written};
use crate::postgres::triggers::capture::{CaptureCall, Operation};
use crate::postgres::triggers::unqueued::{Handlers, Keep, Keys};
use crate::settings;

/// What is called around rows.
pub const HANDLERS: Handlers = Handlers {
    is_simple: |relation, trigger| settings::capture() && CapturePlan::is_simple(relation, trigger),
    keys,
    record,
};

/// Gives away the keys of an inserted or updated row; false: all rows of the source count as changed.
fn keys(call: &CaptureCall, keep: Keep) -> bool {
    let plan = CapturePlan::of(call);
    let Some([old, new]) = changed_row(&plan, call) else {
        return true;
    };
    // An UPDATE has both versions, an INSERT the new one.
    if new.is_none() || old.is_some() != (call.operation == Operation::Update) {
        return false;
    }
    with_written(|Written { keys, .. }| {
        let rows = to_write(&plan, old, new);
        let are_written = write(rows, keys, |row, out| plan.write_key(row, out));
        if are_written {
            written(&rows, keys).for_each(keep);
        }
        are_written
    })
}

/// Records what [`keys`] has given away; None: all rows of the source.
fn record(call: &CaptureCall, keys: Option<Keys>) {
    flush::record(CapturePlan::of(call).source, call.operation, keys);
}
