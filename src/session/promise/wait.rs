//! Waits until TVIEWs keep a bound.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

use super::bound::Bound;
use super::no_wait::{name, NoWait};
use super::stale::{self, too_late};
use super::staleness::{self, Stale};
use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::process;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::session::not_refreshing::not_refreshing;
use crate::session::patience::Patience;
use crate::settings::{self, OnStale};
use crate::statement;
use crate::wake::{health, signal};

/// How often a transaction that may hold locks of rows is asked whether a refresh waits for it.
const LOCKS_CHECKED: Duration = Duration::from_millis(50);

/// What a read does about a TVIEW that is too late: an ERROR, or a NOTICE after which it reads; false if it
/// has to wait. Under the snapshot of the read.
pub fn is_settled(stale: &Stale, bound: &Bound, no_wait: Option<NoWait>) -> bool {
    let is_notice = match (settings::on_stale(), no_wait) {
        (OnStale::Wait, None) => return false,
        (on_stale, _) => on_stale == OnStale::Notice,
    };
    let lag = staleness::lag(stale.tview);
    let not_refreshing = reason_not_refreshing(stale);
    let why = match (&not_refreshing, no_wait) {
        (_, Some(no_wait)) => no_wait.why().to_string(),
        (Some(reason), None) => format!("{}.", reason.message),
        (None, None) => String::new(),
    };
    let problem = too_late(stale, lag.as_ref(), bound.maximum, &why);
    let problem = problem.hint(match (no_wait, not_refreshing.and_then(|reason| reason.hint)) {
        (Some(no_wait), _) if !is_notice => no_wait.hint(stale, bound.maximum),
        (_, Some(hint)) => hint,
        _ => format!(
            "Run SELECT pg_tviews_wait({}); first, or SET pg_tviews.on_stale = wait.",
            name(stale)
        ),
    });
    if !is_notice {
        stale::raise(problem);
    }
    stale::notice(problem);
    true
}

/// Waits for a TVIEW that is too late. `look` checks again under a new snapshot, and returns None once the
/// bound is kept.
pub fn until_kept(first: Stale, bound: &Bound, mut look: impl FnMut() -> Option<Stale>) {
    let mut patience = Patience::new(settings::stale_timeout());
    let mut locks_checked = Instant::now();
    let mut now = Some(first);
    while let Some(behind) = now {
        refuse_if_not_refreshing(&behind);
        signal::awaited(behind.tview);
        if !patience.go_on() {
            stale::raise(gave_up(&behind, bound));
        }
        if transaction::has_xid() && locks_checked.elapsed() >= LOCKS_CHECKED {
            locks_checked = Instant::now();
            refuse_if_waited_for(&behind);
        }
        now = look();
    }
}

/// "The time is over."
fn gave_up(stale: &Stale, bound: &Bound) -> Problem {
    let lag = with_latest_snapshot(|| staleness::lag(stale.tview));
    let why = "The refresh did not come within pg_tviews.stale_timeout.";
    too_late(stale, lag.as_ref(), bound.maximum, why)
        .hint("Run SELECT * FROM pg_tviews_health_check(); to see why, or raise pg_tviews.stale_timeout.")
}

/// Nobody refreshes a TVIEW that is paused or suspended.
fn refuse_if_not_refreshing(stale: &Stale) {
    if let Some(reason) = reason_not_refreshing(stale) {
        reason.raise();
    }
}

/// "TVIEW is paused", or why else it is not refreshed; None if it is.
fn reason_not_refreshing(stale: &Stale) -> Option<Problem> {
    if stale.state.refreshes() {
        return None;
    }
    run_internal(|| definition::load(stale.tview)).map(|definition| not_refreshing(&definition))
}

/// A refresh that waits for a row which this transaction has written would wait as long as the query.
fn refuse_if_waited_for(stale: &Stale) {
    let workers = health::health().workers;
    let is_waited_for = with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let args = [(pgrx::pg_sys::INT4ARRAYOID, Value::of(workers))];
                let rows = spi::run(&statement!("lock_waiters"), Access::Snapshot, &args);
                rows.one::<bool>().unwrap_or(false)
            })
        })
    });
    if is_waited_for {
        Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            format!(
                "the refresh of {} waits for a lock that this transaction holds",
                relation::display(stale.tview)
            ),
        )
        .detail(format!(
            "Process {} has written rows that the refresh needs, and keeps them until the end of its transaction.",
            process::pid()
        ))
        .hint("Run COMMIT, and then the query; or SET LOCAL pg_tviews.max_staleness = -1.")
        .raise();
    }
}
