//! `CALL pg_tviews_drain()`: applies what is pending in the calling session, as workers would.

use std::collections::HashSet;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::drain_order::drain_order;
use super::drain_together::Together;
use super::not_refreshing::not_refreshing;
use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::must_own;
use crate::define::{self, in_step};
use crate::error::{Caught, OrRaise, Problem};
use crate::postgres::permit;
use crate::postgres::process::latch;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, Driver};
use crate::queue::is_pending::is_pending;
use crate::queue::position::Position;
use crate::queue::{self, now};
use crate::refresh::outcome::{Outcome, Status};
use crate::refresh::{backlog_limit, run};

/// The maximum number of rounds over all TVIEWs. One is enough for TVIEWs that read each other's tables. More
/// are needed where triggers of the application write a source when a tv table is written. While other
/// sessions write, every round finds changes.
const MAX_ROUNDS: usize = 8;
/// Rounds in which rows may wait for other TVIEWs, by foreign keys between their tables.
const AWAITING_ROUNDS: usize = 4;
/// Pause between two attempts at a TVIEW that another session is refreshing.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Applies everything pending for one TVIEW and those it reads, or for all. `may_commit`: it is called
/// outside a transaction block.
pub fn drain_all(name: Option<&str>, may_commit: bool) {
    if transaction::in_recovery() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "cannot refresh TVIEWs during recovery",
        )
        .hint("Call it on the primary; its refreshes are replicated.")
        .raise();
    }
    let only = definition::find_or_all(name).or_raise();
    if let Some(only) = &only {
        check_rights(only).or_raise();
        if !only.state.may_refresh() {
            not_refreshing(only).raise();
        }
    }
    let drained = transaction::in_procedure(may_commit, || {
        let driver = Driver::Procedure;
        driver.commit();
        if let Some(caught) = rounds(driver, only.as_ref()) {
            Problem::from(caught).raise();
        }
    });
    if !drained {
        Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "pg_tviews_drain cannot be called inside a transaction block",
        )
        .detail("It commits each refresh separately.")
        .hint("Run COMMIT, and then CALL pg_tviews_drain();")
        .raise();
    }
}

/// A refresh runs code of the owner, and reports values of rows that only the owner may be able to read.
fn check_rights(definition: &Definition) -> Result<(), Problem> {
    if permit::has_rights(definition.owner) {
        Ok(())
    } else {
        Err(must_own(definition.tview))
    }
}

/// Refreshes the TVIEWs until a whole round finds nothing to do; returns the first error met.
fn rounds(driver: Driver, only: Option<&Definition>) -> Option<Caught> {
    let mut error = None;
    let mut failed: HashSet<Oid> = HashSet::new();
    for round in 0..MAX_ROUNDS {
        let order = drain_order(driver, only);
        if round == 0 {
            report_left(order.left);
        }
        let mut changed = false;
        let mut together = Together::default();
        for tview in order.tviews {
            if failed.contains(&tview) {
                continue;
            }
            if let Some(caught) = together.refresh(&order.units, tview, &failed) {
                return Some(caught);
            }
            if together.has_refreshed(tview) {
                continue;
            }
            let (outcome, caught) = refresh_or_wait(driver, tview, round < AWAITING_ROUNDS);
            if caught.as_ref().is_some_and(Caught::is_cancel) {
                return caught;
            }
            changed |= outcome.changes > 0 || outcome.awaits;
            if matches!(
                outcome.status,
                Status::Failed | Status::Suspended | Status::Refused
            ) {
                failed.insert(tview);
                error = error.or(caught);
            }
        }
        if !changed && !together.changed {
            break;
        }
    }
    backlog_limit::enforce(driver);
    define::unused_triggers::remove(driver, true);
    let trimmed = driver.transaction(|| {
        transaction::with_snapshot(|| while queue::trim(10_000) == 10_000 {});
    });
    error.or(trimmed.err())
}

/// Refreshes one TVIEW. If another session is refreshing it, or locks what it reads, waits until everything
/// committed by now is in the table, whichever session applied it.
fn refresh_or_wait(driver: Driver, tview: Oid, may_await: bool) -> (Outcome, Option<Caught>) {
    let mut target: Option<Position> = None;
    loop {
        let (mut outcome, caught) = run::drain(in_step::prepare, tview, may_await);
        if outcome.status != Status::Busy || outcome.awaits {
            return (outcome, caught);
        }
        let pending = driver.transaction(|| {
            transaction::with_snapshot(|| {
                run_internal(|| match &target {
                    Some(target) => is_pending(tview, target),
                    None => {
                        target = Some(now::seen());
                        true
                    }
                })
            })
        });
        match pending {
            Ok(true) => latch::pause_or_raise(BUSY_PAUSE),
            Ok(false) => {
                outcome.status = Status::UpToDate;
                return (outcome, None);
            }
            Err(caught) => {
                outcome.status = Status::Failed;
                return (outcome, Some(caught));
            }
        }
    }
}

/// A NOTICE about the TVIEWs whose owners' rights the caller does not have.
fn report_left(left: usize) {
    let (tviews, owners) = match left {
        0 => return,
        1 => ("one TVIEW is".to_string(), "its owner"),
        more => (format!("{more} TVIEWs are"), "their owners"),
    };
    Problem::for_notice(format!("{tviews} left to {owners} and to the workers")).notice();
}
