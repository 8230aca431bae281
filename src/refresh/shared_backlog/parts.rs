//! `pg_tview_backlog_part`: the parts of a large backlog that several workers apply. Each part is applied and
//! marked as done in one transaction. The position moves once all parts are done. Statements run inside an
//! SPI session.

use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};

use crate::catalog::definition;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Statement, Value};
use crate::queue::position::Position;
use crate::refresh::audit::Written;
use crate::refresh::batch::Batch;
use crate::refresh::keys::Batches;
use crate::statement;

/// A part that is not done.
pub struct Part {
    pub keys: Batch,
    /// The position of the TVIEW when the queue was read. The part is obsolete once the position has moved.
    pub before: Option<Position>,
}

/// The progress of the parts of a TVIEW.
pub struct State {
    pub parts: usize,
    pub unfinished: Vec<i32>,
    /// Rows written by the parts that are done.
    pub written: Written,
}

/// Stores parts of a backlog until a limit of time, and removes these from `parts`. `stored`: how many were stored before;
/// the first ones replace the parts of an earlier attempt. Returns how many are stored then.
pub fn store(
    tview: Oid,
    parts: &mut Batches,
    before: Option<&Position>,
    mut stored: usize,
    limit: Duration,
) -> usize {
    let begin = Instant::now();
    if stored == 0 {
        remove(tview);
    }
    let types = [pg_sys::OIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID];
    let before = before.map(Position::to_string);
    run_internal(|| {
        let add = Statement::new(statement!("backlog_part_add"), &types);
        while begin.elapsed() < limit {
            let Some(part) = parts.next() else { break };
            // The memory of a part is freed before the next.
            spi::session(|| {
                let args = [
                    Value::of(tview),
                    before.as_deref().map_or(Value::NULL, Value::of),
                    Value::of(part.to_json()),
                    Value::of(stored as i32),
                ];
                add.run(Access::Current, &args, 0);
            });
            stored += 1;
        }
        stored
    })
}

/// A part; None if it is done or does not exist.
pub fn read(tview: Oid, part: i32) -> Option<Part> {
    let args = [
        (pg_sys::OIDOID, Value::of(tview)),
        (pg_sys::INT4OID, Value::of(part)),
    ];
    let rows = run_internal(|| spi::run(&statement!("backlog_part_read"), Access::Snapshot, &args));
    if rows.is_empty() {
        return None;
    }
    Some(Part {
        keys: Batch::from_json(&rows.get::<String>(0, 0)?)?,
        before: rows.get::<String>(0, 1).and_then(|text| text.parse().ok()),
    })
}

/// Marks a part as done.
pub fn done(tview: Oid, part: i32, written: Written) {
    let counts = [
        written.inserted,
        written.updated,
        written.deleted,
        written.unchanged,
    ];
    let mut args = vec![
        (pg_sys::OIDOID, Value::of(tview)),
        (pg_sys::INT4OID, Value::of(part)),
    ];
    args.extend(counts.map(|count| (pg_sys::INT8OID, Value::of(count))));
    run_internal(|| spi::run(&statement!("backlog_part_done"), Access::Current, &args));
}

/// The progress of the parts of a TVIEW, under the active snapshot.
pub fn state(tview: Oid) -> Option<State> {
    let args = [(pg_sys::OIDOID, Value::of(tview))];
    let rows = run_internal(|| spi::run(&statement!("backlog_part_state"), Access::Snapshot, &args));
    Some(State {
        parts: usize::try_from(rows.get::<i64>(0, 0)?).ok()?,
        unfinished: rows.get(0, 1)?,
        written: Written {
            inserted: rows.get(0, 2)?,
            updated: rows.get(0, 3)?,
            deleted: rows.get(0, 4)?,
            unchanged: rows.get(0, 5)?,
        },
    })
}

/// Removes parts of workers that exited early, once no refresh can continue with them.
pub fn forget_stale() {
    if definition::table().is_some() {
        run_internal(|| spi::session(|| spi::run(&statement!("backlog_part_forget"), Access::Current, &[])));
    }
}

/// Removes all parts of a TVIEW: its backlog is applied, or given up.
pub fn remove(tview: Oid) {
    let args = [(pg_sys::OIDOID, Value::of(tview))];
    run_internal(|| spi::run(&statement!("backlog_part_remove"), Access::Current, &args));
}
