//! Capture of rows without PostgreSQL's queue of triggers: their keys are made while the statement runs, and
//! recorded when it has ended.

use super::plan::CapturePlan;
use super::{flush, to_write, with_written, write, written, Written};
use crate::postgres::triggers::capture::CaptureCall;
use crate::postgres::triggers::unqueued::{Handlers, Keep, Keys};
use crate::settings;

/// What is called around rows.
pub const HANDLERS: Handlers = Handlers {
    is_simple: |relation, trigger| settings::capture() && CapturePlan::is_simple(relation, trigger),
    keys,
    record,
};

/// Gives away the keys of an updated row; false: all rows of the source count as changed.
fn keys(call: &CaptureCall, keep: Keep) -> bool {
    let plan = CapturePlan::of(call);
    let (Some(old), Some(new)) = (call.old_row(plan.update_width), call.new_row(plan.update_width)) else {
        return false;
    };
    if !plan.changed(&old, &new) {
        return true;
    }
    with_written(|Written { keys, .. }| {
        let rows = to_write(&plan, Some(old), Some(new));
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
