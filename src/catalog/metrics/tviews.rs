//! The rows of `pg_tview_metrics`: one per TVIEW that the current role may see.

use std::collections::HashMap;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{
    Oid, FLOAT8ARRAYOID, FLOAT8OID, INT8ARRAYOID, INT8OID, REGCLASSOID, TEXTOID, TIMESTAMPTZOID,
};

use super::seconds;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::metrics as pg;
use crate::postgres::process::{self, clock};
use crate::postgres::relation;
use crate::postgres::role::{current_role, has_rights_of, monitoring_role};
use crate::postgres::run_as::{planned_once, run_internal, set};
use crate::postgres::schema;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction::in_recovery;
use crate::settings;
use crate::statement;
use crate::wake::counters::{Totals, BOUNDS};
use crate::wake::database::Database;
use crate::wake::sources::Sources;
use crate::wake::tview::Tview;

/// The columns, as `sql/install/metrics.sql` names them.
pub(super) const ROWS: pg::Rows = pg::Rows {
    types: &[
        TEXTOID,
        TEXTOID,
        TEXTOID,
        REGCLASSOID,
        TEXTOID, // database, schema, entity, TVIEW, state
        FLOAT8OID,
        FLOAT8OID,
        INT8OID,
        INT8OID,
        INT8OID, // bound, lag, pending commits, dead keys, reads of groups
        INT8OID,
        INT8OID,
        INT8OID, // refreshes, changes, keys
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID, // rows
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID, // failures
        FLOAT8OID,
        FLOAT8OID,
        FLOAT8OID,
        FLOAT8OID,
        FLOAT8OID,
        FLOAT8OID,
        FLOAT8OID, // phases
        FLOAT8ARRAYOID,
        INT8ARRAYOID,
        FLOAT8OID,
        INT8OID, // latency: bounds, buckets, sum, count
        TIMESTAMPTZOID,
        INT8OID,
        TIMESTAMPTZOID, // verification: rows that differed, the last walk
    ],
    compute: rows,
};

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// What tables say of a TVIEW.
struct Known {
    entity: String,
    tview: Oid,
    state: String,
    max_latency: Option<f64>,
    sources: Vec<Oid>,
    dead_keys: i64,
    group_reads: i64,
    drifted_keys: i64,
    verified_at: Option<TimestampWithTimeZone>,
}

/// What shared memory says of it.
struct Progress {
    pending: u64,
    lag: i64,
    totals: Totals,
}

/// The rows. None on a standby: nothing is refreshed there.
fn rows() -> Vec<Vec<Value>> {
    if in_recovery() {
        return Vec::new();
    }
    let (known, name) = read();
    let now = clock::now();
    let database = Database::find(process::database());
    let [name, bounds] = [Value::of(name), Value::of(BOUNDS.map(seconds).to_vec())];
    let mut schemas = HashMap::new();
    let row = |known: &Known| {
        let schema = relation::schema_oid(known.tview)?;
        let schema = *schemas
            .entry(schema)
            .or_insert_with(|| Value::of(schema::name(schema)));
        Some(values(
            known,
            [name, schema, bounds],
            progress(database, known, now),
        ))
    };
    known.iter().filter_map(row).collect()
}

/// What tables say of the TVIEWs that the current role may see, and the name of the database.
fn read() -> (Vec<Known>, Option<String>) {
    let caller = current_role();
    let sees_all = has_rights_of(caller, monitoring_role());
    let is_seen =
        |tview: Oid| sees_all || relation::owner(tview).is_some_and(|owner| has_rights_of(caller, owner));
    run_internal(|| {
        set("jit", "off");
        planned_once();
        spi::session(|| {
            let statement = READ.with(|read| read.get(|| statement!("metrics_tviews"), &[]));
            let rows = statement.run(Access::Snapshot, &[], 0);
            let known = (0..rows.len()).filter_map(|row| from_row(&rows, row, is_seen));
            let known = known.collect();
            let name = (!rows.is_empty()).then(|| rows.get(0, COLUMNS - 1)).flatten();
            (known, name)
        })
    })
}

/// The number of columns that the statement returns.
const COLUMNS: usize = 10;

fn from_row(rows: &Rows, row: usize, is_seen: impl Fn(Oid) -> bool) -> Option<Known> {
    let tview = rows.get(row, 1).filter(|tview| is_seen(*tview))?;
    Some(Known {
        entity: rows.get(row, 0)?,
        tview,
        state: rows.get(row, 2)?,
        max_latency: rows.get(row, 3),
        sources: rows.get(row, 4)?,
        dead_keys: rows.get(row, 5)?,
        group_reads: rows.get(row, 6)?,
        drifted_keys: rows.get(row, 7)?,
        verified_at: rows.get(row, 8),
    })
}

fn progress(database: Option<&'static Database>, known: &Known, now: i64) -> Option<Progress> {
    let place = Tview::find(process::database(), known.tview)?;
    let commits = database?
        .sources
        .commits(&Sources::places_of(&known.sources, known.tview));
    let (pending, lag) = place.behind(commits, now);
    Some(Progress {
        pending,
        lag,
        totals: place.counters.read(),
    })
}

/// The values of a row. The first ones are the same in many rows.
fn values(known: &Known, [name, schema, bounds]: [Value; 3], progress: Option<Progress>) -> Vec<Value> {
    let bound = known
        .max_latency
        .unwrap_or_else(|| settings::max_latency().as_secs_f64());
    let mut row = vec![
        name,
        schema,
        Value::of(known.entity.as_str()),
        Value::of(known.tview),
        Value::of(known.state.as_str()),
        Value::of(bound),
        Value::of(progress.as_ref().map(|progress| seconds(progress.lag))),
        Value::of(progress.as_ref().map(|progress| progress.pending as i64)),
        Value::of(known.dead_keys),
        Value::of(known.group_reads),
    ];
    let count = |count: u64| Value::of(count as i64);
    match progress.map(|progress| progress.totals) {
        Some(totals) => {
            row.extend([totals.refreshes, totals.changes_read, totals.keys_refreshed].map(count));
            row.extend(totals.rows.map(count));
            row.extend(totals.failures.map(count));
            row.extend(totals.nanos.map(|nanos| Value::of(nanos as f64 / 1e9)));
            let [.., all] = totals.latencies;
            let buckets: Vec<i64> = totals.latencies[..BOUNDS.len()]
                .iter()
                .map(|n| *n as i64)
                .collect();
            row.extend([
                bounds,
                Value::of(buckets),
                Value::of(seconds(totals.latency_sum as i64)),
                count(all),
                Value::of(totals.since),
            ]);
        }
        None => {
            let empty = Totals::default();
            let numbers = 3 + empty.rows.len() + empty.failures.len() + empty.nanos.len() + 5;
            row.extend(std::iter::repeat_n(Value::NULL, numbers));
        }
    }
    row.extend([Value::of(known.drifted_keys), Value::of(known.verified_at)]);
    row
}
