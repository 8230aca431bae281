//! `pg_tviews_cost`: which changes refreshes have spent their time on, from the audit table.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::role::current_role;
use crate::postgres::run_as::{planned_once, run_internal, set};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::statement;

/// Further back than the audit table can reach. The time must be one that PostgreSQL can represent.
const LONGEST: f64 = 3.0e9;

/// What changes of one source have cost one TVIEW.
pub struct Cost {
    pub entity_name: String,
    pub tview: Oid,
    /// None: the refresh was for no change of a source.
    pub source: Option<Oid>,
    pub refreshes: i64,
    pub comparisons: i64,
    pub changes: Option<i64>,
    pub keys: Option<i64>,
    pub keys_per_change: Option<f64>,
    pub seconds: f64,
    /// A JSON array.
    pub worst_transactions: Option<String>,
}

/// What the refreshes of the last seconds cost; None: of all that are recorded. Of the TVIEWs that the current role may
/// see, the most expensive first.
pub fn cost(since: Option<f64>) -> Vec<Cost> {
    let since = since.map(|seconds| seconds.clamp(-LONGEST, LONGEST));
    let args = [
        (pg_sys::OIDOID, Value::of(current_role())),
        (pg_sys::FLOAT8OID, Value::of(since)),
    ];
    run_internal(|| {
        set("jit", "off");
        // By the index on finished_at.
        planned_once();
        spi::session(|| {
            let rows = spi::run(&statement!("cost"), Access::Snapshot, &args);
            (0..rows.len()).filter_map(|row| from_row(&rows, row)).collect()
        })
    })
}

fn from_row(rows: &Rows, row: usize) -> Option<Cost> {
    Some(Cost {
        entity_name: rows.get(row, 0)?,
        tview: rows.get(row, 1)?,
        source: rows.get(row, 2),
        refreshes: rows.get(row, 3)?,
        comparisons: rows.get(row, 4)?,
        changes: rows.get(row, 5),
        keys: rows.get(row, 6),
        keys_per_change: rows.get(row, 7),
        seconds: rows.get(row, 8)?,
        worst_transactions: rows.get(row, 9),
    })
}
