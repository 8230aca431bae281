//! `pg_tview_status`: state, backlog and latency of each TVIEW that the current role may see.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::{self, Oid};

use super::session_statement::SessionStatement;
use crate::postgres::extension::is_before_0_3;
use crate::postgres::role::current_role;
use crate::postgres::run_as::{planned_once, run_internal, set};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction::in_recovery;
use crate::statement;

/// A row of the view.
pub struct Status {
    pub entity_name: String,
    pub tview: Oid,
    pub state: String,
    pub pending_changes: i64,
    pub oldest_pending_at: Option<TimestampWithTimeZone>,
    pub lag: Interval,
    pub max_latency: Interval,
    pub within_bound: bool,
    pub last_refresh_at: Option<TimestampWithTimeZone>,
    /// The 50th, 95th and 99th percentile, in milliseconds.
    pub latency: [Option<f64>; 3],
    pub refreshes: i64,
    pub rows_written: i64,
    pub dead_letter_keys: i64,
    pub last_error: Option<String>,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
    static COUNT: SessionStatement = const { SessionStatement::new() };
}

/// The TVIEWs that the current role may see, as of the snapshot of the running query.
pub fn status() -> Vec<Status> {
    let caller = Value::of(current_role());
    run_internal(|| {
        set("jit", "off");
        planned_once();
        spi::session(|| {
            let statement = READ.with(|read| read.get(|| statement!("status"), &[pg_sys::OIDOID]));
            let rows = statement.run(Access::Snapshot, &[caller], 0);
            (0..rows.len()).filter_map(|row| from_row(&rows, row)).collect()
        })
    })
}

/// How many groups of a TVIEW are stored, and how often such groups were read. 0 where the current role does not
/// see the TVIEW, and on a standby: the store is unlogged.
pub fn stored_groups(tview: Oid) -> (i64, i64) {
    if in_recovery() || is_before_0_3() {
        return (0, 0);
    }
    let args = [Value::of(tview), Value::of(current_role())];
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let types = [pg_sys::OIDOID, pg_sys::OIDOID];
            let statement = COUNT.with(|count| count.get(|| statement!("running_counts"), &types));
            let rows = statement.run(Access::Snapshot, &args, 1);
            let count = |column| rows.get(0, column).unwrap_or(0);
            if rows.is_empty() {
                (0, 0)
            } else {
                (count(0), count(1))
            }
        })
    })
}

fn from_row(rows: &Rows, row: usize) -> Option<Status> {
    Some(Status {
        entity_name: rows.get(row, 0)?,
        tview: rows.get(row, 1)?,
        state: rows.get(row, 2)?,
        pending_changes: rows.get(row, 3)?,
        oldest_pending_at: rows.get(row, 4),
        lag: rows.get(row, 5)?,
        max_latency: rows.get(row, 6)?,
        within_bound: rows.get(row, 7)?,
        last_refresh_at: rows.get(row, 8),
        latency: [rows.get(row, 9), rows.get(row, 10), rows.get(row, 11)],
        refreshes: rows.get(row, 12)?,
        rows_written: rows.get(row, 13)?,
        dead_letter_keys: rows.get(row, 14)?,
        last_error: rows.get(row, 15),
    })
}
