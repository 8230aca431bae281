//! `pg_tview_comparison`: the comparisons of all rows that are in progress, and the progress of each.
//! Statements run inside an SPI session.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use super::stage_table;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::queue::append;
use crate::queue::read::Pending;
use crate::refresh::audit::{self, Entry, Written};
use crate::refresh::batch::Batch;
use crate::refresh::plan::Plan;
use crate::refresh::tally;
use crate::statement;
use crate::wake::operations;

/// A comparison in progress.
pub struct Comparison {
    /// The first comparison under the present definition.
    pub populates: bool,
    /// Rows are computed by ranges of keys; otherwise key by key.
    pub by_range: bool,
    /// The last key that was compared; None: no key yet.
    pub compared_to: Option<Box<[String]>>,
    pub keys_at_once: usize,
    /// Keys that were skipped: another session holds their rows, or other rows have to be written first.
    pub held: Vec<Box<[String]>>,
    /// All rows may have changed again meanwhile.
    pub again: bool,
    changes_read: Option<i64>,
    oldest_change_at: Option<TimestampWithTimeZone>,
    started_at: TimestampWithTimeZone,
    rows_expected: i64,
    written: Written,
    sqlstate: Option<String>,
    message: Option<String>,
    details: Option<String>,
}

/// The changes that made the comparison necessary, with the oldest transaction among them.
pub struct Cause {
    xid: Option<u64>,
    at: Option<TimestampWithTimeZone>,
    changes: Option<i64>,
}

impl Cause {
    pub fn of(tview: Oid, pending: &[Pending]) -> Cause {
        let concerning = || pending.iter().filter(|changes| changes.concerns(tview));
        Cause {
            xid: concerning().filter_map(|changes| changes.oldest_xid).min(),
            at: concerning().filter_map(|changes| changes.oldest).min(),
            changes: (!pending.is_empty()).then(|| concerning().map(|changes| changes.changes).sum()),
        }
    }

    fn values(&self) -> [(Oid, Value); 3] {
        [
            (pg_sys::TEXTOID, Value::of(self.xid.map(|xid| xid.to_string()))),
            (pg_sys::TIMESTAMPTZOID, Value::of(self.at)),
            (pg_sys::INT8OID, Value::of(self.changes)),
        ]
    }
}

fn run(statement: &str, tview: Oid, more: &[(Oid, Value)]) -> Rows {
    let mut args = vec![(pg_sys::OIDOID, Value::of(tview))];
    args.extend_from_slice(more);
    run_internal(|| spi::run(statement, Access::Current, &args))
}

/// Begins a comparison, in place of an earlier one.
pub fn begin(
    tview: Oid,
    populates: bool,
    by_range: bool,
    keys_at_once: usize,
    cause: &Cause,
    rows_expected: i64,
) {
    let mut args = vec![
        (pg_sys::BOOLOID, Value::of(populates)),
        (pg_sys::BOOLOID, Value::of(by_range)),
        (pg_sys::INT4OID, Value::of(keys_at_once as i32)),
    ];
    args.extend(cause.values());
    args.push((pg_sys::INT8OID, Value::of(rows_expected)));
    run(&statement!("comparison_begin"), tview, &args);
}

/// Schedules another comparison after the one in progress: all rows may have changed again.
pub fn again(tview: Oid, cause: &Cause) {
    run(&statement!("comparison_again"), tview, &cause.values());
}

/// The comparison in progress.
pub fn read(tview: Oid) -> Option<Comparison> {
    let rows = run(&statement!("comparison_read"), tview, &[]);
    if rows.is_empty() {
        return None;
    }
    let key = |text: String| -> Option<Vec<String>> { serde_json::from_str(&text).ok() };
    let held = rows.get::<String>(0, 3);
    Some(Comparison {
        populates: rows.get(0, 0)?,
        by_range: rows.get(0, 15)?,
        compared_to: rows.get(0, 1).and_then(key).map(Vec::into_boxed_slice),
        keys_at_once: usize::try_from(rows.get::<i32>(0, 2)?).ok()?,
        held: held
            .and_then(|text| Batch::from_json(&text))
            .map_or(Vec::new(), |batch| batch.rows()),
        again: rows.get(0, 4)?,
        oldest_change_at: rows.get(0, 5),
        changes_read: rows.get(0, 6),
        started_at: rows.get(0, 7)?,
        written: Written {
            inserted: rows.get(0, 8)?,
            updated: rows.get(0, 9)?,
            deleted: rows.get(0, 10)?,
            unchanged: rows.get(0, 11)?,
        },
        sqlstate: rows.get(0, 12),
        message: rows.get(0, 13),
        details: rows.get(0, 14),
        rows_expected: rows.get(0, 16)?,
    })
}

impl Comparison {
    /// What a batch writes is as old as the oldest change that made the comparison necessary.
    pub fn pass_age_on(&self, tview: Oid) {
        let since = if self.populates {
            audit::unfilled_since(tview)
        } else {
            self.oldest_change_at
        };
        append::applies_since(since.map(i64::from));
        tally::applies_since(tview, since.map(i64::from));
    }

    /// Shows how far the comparison is. `more`: the rows compared since it was read.
    pub fn show(&self, more: Written) {
        let mut written = self.written;
        written += more;
        operations::resume(
            self.started_at.into(),
            self.rows_expected,
            written.changed() + written.unchanged,
            written.changed(),
        );
    }

    /// What was written to a stage is not what the table got.
    pub fn forget_written(&mut self) {
        self.written = Written::default();
    }

    /// Stores the progress, and what `entry` reports of the rows compared since.
    pub fn advance(&self, tview: Oid, entry: &Entry) {
        let key = self.compared_to.as_ref();
        let key = key.map(|key| serde_json::json!(key).to_string());
        let held = (!self.held.is_empty()).then(|| Batch::from(&self.held[..]).to_json());
        let written = entry.compared();
        let details = entry.details.as_ref().map(|details| details.to_string());
        let args = [
            (pg_sys::TEXTOID, Value::of(key)),
            (pg_sys::INT4OID, Value::of(self.keys_at_once as i32)),
            (pg_sys::TEXTOID, Value::of(held)),
            (pg_sys::INT8OID, Value::of(written.inserted)),
            (pg_sys::INT8OID, Value::of(written.updated)),
            (pg_sys::INT8OID, Value::of(written.deleted)),
            (pg_sys::INT8OID, Value::of(written.unchanged)),
            (pg_sys::TEXTOID, Value::of(entry.sqlstate.clone())),
            (pg_sys::TEXTOID, Value::of(entry.message.clone())),
            (pg_sys::TEXTOID, Value::of(details)),
        ];
        run(&statement!("comparison_advance"), tview, &args);
    }

    /// The audit row of a complete comparison. `last`: the entry of its last batch.
    pub fn entry(self, plan: &Plan, last: Entry) -> Entry {
        let operation = if self.populates { "populate" } else { "refresh" };
        let definition = &plan.definition;
        let mut entry = Entry::new(
            &definition.entity_name,
            definition.tview,
            operation,
            self.started_at,
        );
        entry.changes_read = self.changes_read;
        entry.oldest_change_at = self.oldest_change_at;
        let mut written = self.written;
        written += last.written.unwrap_or_default();
        entry.written = Some(written);
        entry.keys_refreshed = Some(written.inserted + written.updated + written.deleted + written.unchanged);
        let left_out = last.left_out();
        entry.changed = last.changed;
        (entry.status, entry.sqlstate, entry.message, entry.details) = match self.sqlstate {
            None => (last.status, last.sqlstate, last.message, last.details),
            some => (
                audit::Status::Partial,
                some,
                self.message,
                self.details.and_then(|text| serde_json::from_str(&text).ok()),
            ),
        };
        if let Some(left_out) = left_out {
            entry.keep_left_out(left_out);
        }
        entry
    }
}

/// The comparison is complete, and begins again for the changes since.
pub fn restart(tview: Oid) {
    run(&statement!("comparison_restart"), tview, &[]);
}

/// The comparison is complete, or obsolete. The caller holds the lock of the TVIEW.
pub fn remove(tview: Oid) {
    run(&statement!("comparison_remove"), tview, &[]);
    stage_table::drop_of(tview);
}

/// The comparison writes a stage, made in this run of the server.
pub fn write_to(tview: Oid, stage: Oid, server_run: i64) {
    let args = [
        (pg_sys::OIDOID, Value::of(stage)),
        (pg_sys::INT8OID, Value::of(server_run)),
    ];
    run(&statement!("comparison_stage"), tview, &args);
}

/// The comparison writes the tv table, and begins again.
pub fn unstage(tview: Oid) {
    run(&statement!("comparison_unstage"), tview, &[]);
}

/// The comparison is obsolete. Where it writes a stage, that is to be made again: the tv table still has old rows.
pub fn give_up(tview: Oid) {
    let is_staged = !extension::is_before_0_3()
        && run(&statement!("comparison_lose_stage"), tview, &[]).one::<bool>() == Some(true);
    if !is_staged {
        remove(tview);
    }
}

/// When the oldest of its changes was made.
pub fn since(tview: Oid) -> Option<TimestampWithTimeZone> {
    run(&statement!("comparison_since"), tview, &[]).one()
}
