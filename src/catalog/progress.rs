//! `pg_tview_progress`: the operations on TVIEWs that are running, and comparisons of all rows that will be
//! continued.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::pg_sys::{self, Oid};

use super::session_statement::SessionStatement;
use crate::postgres::process::{self, clock};
use crate::postgres::role;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction::in_recovery;
use crate::statement;
use crate::wake::operations::{self, Kind, Phase, Seen};

/// A row of the view.
pub struct Progress {
    /// None: no process works on it at this moment.
    pub pid: Option<i32>,
    pub database: Oid,
    pub tview: Oid,
    pub entity_name: String,
    pub operation: &'static str,
    pub phase: &'static str,
    /// The number of all, and of those done.
    pub keys: Option<(i64, i64)>,
    pub rows: Option<(i64, i64)>,
    pub total_is_estimate: Option<bool>,
    pub rows_written: i64,
    pub started_at: Option<TimestampWithTimeZone>,
    pub remaining: Option<Interval>,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// The operations that the current role may see: those on TVIEWs whose owner's rights it has, and for members of
/// pg_monitor all. Those of this process come as they are now, also within one transaction.
pub fn progress() -> Vec<Progress> {
    let role = role::current_role();
    let is_monitor = role::has_rights_of(role, role::monitoring_role());
    let may_see = |seen: &Seen| is_monitor || role::has_rights_of(role, seen.owner);
    // Under the snapshot of the query, which is older than what shared memory shows.
    let mut open = comparisons(role);
    let now = clock::now();
    let running = operations::running().into_iter().filter(may_see);
    let mut all: Vec<Progress> = running.map(|seen| of_process(seen, &mut open, now)).collect();
    all.extend(open);
    all
}

/// What a process shows. A comparison that it is about to continue is where it was left.
fn of_process(seen: Seen, open: &mut Vec<Progress>, now: i64) -> Progress {
    let is_of = |waiting: &Progress| {
        waiting.tview == seen.tview
            && waiting.database == seen.database
            && waiting.operation == operation(seen.kind)
    };
    let waiting = open.iter().position(is_of).map(|place| open.swap_remove(place));
    let shown = seen.keys.is_some();
    let before = waiting.filter(|_| !shown);
    let remaining = seen.remaining(now).and_then(interval);
    let total_is_estimate = shown.then_some(seen.estimated);
    Progress {
        pid: Some(seen.pid),
        database: seen.database,
        tview: seen.tview,
        operation: operation(seen.kind),
        phase: phase(seen.phase),
        keys: seen.keys.or(before.as_ref().and_then(|before| before.keys)),
        rows: seen.rows,
        total_is_estimate: total_is_estimate.or(before.as_ref().and_then(|before| before.total_is_estimate)),
        rows_written: before
            .as_ref()
            .map_or(seen.rows_written, |before| before.rows_written),
        started_at: match before {
            Some(before) => before.started_at,
            None => TimestampWithTimeZone::try_from(seen.started_at).ok(),
        },
        remaining,
        entity_name: seen.entity_name,
    }
}

/// Comparisons of all rows that are not complete, as their last batches have left them. On a standby they are
/// those of another server.
fn comparisons(role: Oid) -> Vec<Progress> {
    if in_recovery() {
        return Vec::new();
    }
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let statement =
                READ.with(|read| read.get(|| statement!("comparison_waiting"), &[pg_sys::OIDOID]));
            let rows = statement.run(Access::Snapshot, &[Value::of(role)], 0);
            (0..rows.len()).filter_map(|row| waiting(&rows, row)).collect()
        })
    })
}

fn waiting(rows: &Rows, row: usize) -> Option<Progress> {
    let (total, done) = (rows.get::<i64>(row, 3)?, rows.get::<i64>(row, 4)?);
    Some(Progress {
        pid: None,
        database: process::database(),
        tview: rows.get(row, 0)?,
        entity_name: rows.get(row, 1)?,
        operation: operation(Kind::of_all_rows(rows.get(row, 2)?)),
        phase: "waiting to continue",
        keys: Some((total.max(done), done)),
        rows: None,
        total_is_estimate: Some(true),
        rows_written: rows.get(row, 5)?,
        started_at: rows.get(row, 6),
        remaining: None,
    })
}

fn interval(microseconds: i64) -> Option<Interval> {
    Interval::new(0, 0, microseconds).ok()
}

fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::Populate => "populate",
        Kind::Refresh => "refresh",
        Kind::Reconcile => "reconcile",
        Kind::Verify => "verify",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Preparing => "preparing",
        Phase::ReadingQueue => "reading queue",
        Phase::FindingKeys => "finding keys",
        Phase::Recomputing => "recomputing rows",
        Phase::Comparing => "comparing rows",
        Phase::Replacing => "replacing rows",
        Phase::Isolating => "isolating failing keys",
        Phase::WaitingForWorkers => "waiting for other workers",
        Phase::Committing => "committing",
    }
}
