//! The row of `pg_tview_server_metrics`: launcher, workers, log of this database.

use pgrx::pg_sys::{self, BOOLOID, FLOAT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use super::seconds;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::metrics as pg;
use crate::postgres::process::{self, clock};
use crate::postgres::run_as::{planned_once, run_internal, set};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::in_recovery;
use crate::settings;
use crate::statement;
use crate::wake::database::Database;
use crate::wake::health::health;
use crate::wake::slots;
use crate::wake::throttle::Delays;

/// The columns, as `sql/install/metrics.sql` names them.
pub(super) const ROWS: pg::Rows = pg::Rows {
    types: &[
        TEXTOID,
        BOOLOID,
        BOOLOID,
        BOOLOID,
        BOOLOID, // database, in recovery, preloaded, launcher, refreshing
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        FLOAT8OID, // workers: configured, running, busy, wanted; wait
        INT8OID,
        INT8OID, // slots, used
        INT8OID,
        INT8OID,
        INT8OID, // TVIEWs, bytes of the queue, stored groups
        INT8OID,
        FLOAT8OID, // the oldest xmin: transactions, seconds
        TIMESTAMPTZOID,
        INT8OID,
        FLOAT8OID, // throttled: transactions, seconds
    ],
    compute: rows,
};

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// The columns that the statement returns.
const READ_COLUMNS: usize = 7;

/// The row.
fn rows() -> Vec<Vec<Value>> {
    let from_tables = run_internal(|| {
        set("jit", "off");
        planned_once();
        spi::session(|| {
            let statement = READ.with(|read| read.get(|| statement!("metrics_server"), &[pg_sys::OIDOID]));
            let rows = statement.run(Access::Snapshot, &[Value::of(process::database())], 1);
            let database: Option<String> = rows.get(0, 0);
            let counts = [1, 2, 3, 4].map(|column| rows.get::<i64>(0, column));
            (
                database,
                counts,
                rows.get::<f64>(0, 5),
                rows.get::<i64>(0, READ_COLUMNS - 1),
            )
        })
    });
    let (database, [tviews, queue_bytes, stored_groups, xmin_age], xmin_seconds, started_at) = from_tables;
    let health = health();
    let usage = slots::usage();
    let count = |count: usize| Value::of(count as i64);
    let (busy, wanted, waits) = workers();
    let delays = Database::find(process::database())
        .map_or_else(Delays::default, |database| database.throttle.delays());
    vec![vec![
        Value::of(database),
        Value::of(in_recovery()),
        Value::of(health.preloaded),
        Value::of(health.launcher_running),
        Value::of(settings::enabled() && settings::workers() > 0),
        count(settings::workers()),
        count(health.workers.len()),
        count(busy),
        count(wanted),
        Value::of(seconds(waits)),
        count(usage.slots.total),
        count(usage.slots.others + usage.workers + usage.parallel),
        Value::of(tviews),
        Value::of(queue_bytes),
        Value::of(stored_groups),
        Value::of(xmin_age),
        Value::of(xmin_seconds),
        Value::of(started_at),
        Value::of(delays.transactions as i64),
        Value::of(seconds(delays.microseconds as i64)),
    ]]
}

/// How many workers of this database are at work, how many it could use now, and for how long it has waited for a first
/// one, in microseconds.
fn workers() -> (usize, usize, i64) {
    let Some(database) = Database::find(process::database()) else {
        return (0, 0, 0);
    };
    let now = clock::now();
    let busy = database.busy_workers();
    let wanted = if !settings::enabled() {
        0
    } else if database.is_overloaded() {
        settings::workers()
    } else if database.rests_until(now).is_some() {
        0
    } else {
        busy.max(1).min(settings::workers())
    };
    (busy, wanted, database.waits_for(now))
}
