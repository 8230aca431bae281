//! `CALL pg_tviews_drain()`: the workers' job, in the calling session.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::not_refreshing::not_refreshing;
use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
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

/// Rounds over all TVIEWs. One is enough for TVIEWs that read each other's tables; further ones are for triggers of
/// the application that write a source when a tv table is written. While others write, every round finds something.
const MOST_ROUNDS: usize = 8;
/// Rounds in which rows may wait for other TVIEWs, by foreign keys between their tables.
const AWAITING_ROUNDS: usize = 4;
/// Between two attempts at a TVIEW someone else is at.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Applies everything pending for one TVIEW (and those it reads), or for all. `may_commit`: called outside
/// a transaction block.
pub fn drain_all(name: Option<&str>, may_commit: bool) {
    if transaction::in_recovery() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "cannot refresh TVIEWs during recovery",
        )
        .hint("Call it on the primary; its refreshes are replicated.")
        .raise();
    }
    let only = name.map(|name| definition::find(name).or_raise());
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
        .hint("COMMIT first, then CALL pg_tviews_drain();")
        .raise();
    }
}

/// A refresh runs code of the owner, and reports values of rows that only the owner may be able to read.
fn check_rights(definition: &Definition) -> Result<(), Problem> {
    match permit::has_rights(definition.owner) {
        true => Ok(()),
        false => Err(must_own(definition.tview)),
    }
}

/// Goes over the TVIEWs until a whole round finds nothing to do; returns the first error met.
fn rounds(driver: Driver, only: Option<&Definition>) -> Option<Caught> {
    let mut error = None;
    let mut failed: HashSet<Oid> = HashSet::new();
    for round in 0..MOST_ROUNDS {
        let (tviews, of_others) = wanted(driver, only);
        if round == 0 {
            report_left(of_others);
        }
        let mut changed = false;
        for tview in tviews
            .into_iter()
            .filter(|tview| !failed.contains(tview))
            .collect::<Vec<_>>()
        {
            let (outcome, caught) = patient(driver, tview, round < AWAITING_ROUNDS);
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
        if !changed {
            break;
        }
    }
    backlog_limit::enforce(driver);
    define::drop::tidy(driver, true);
    let trimmed = driver.transaction(|| {
        transaction::with_snapshot(|| while queue::trim(10_000) == 10_000 {});
    });
    error.or(trimmed.err())
}

/// Someone else may be at the same TVIEW, or at what it reads: that is waited for, until everything committed by
/// now is in the table, whoever put it there.
fn patient(driver: Driver, tview: Oid, may_await: bool) -> (Outcome, Option<Caught>) {
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

fn report_left(of_others: usize) {
    let (tviews, owners) = match of_others {
        0 => return,
        1 => ("one TVIEW is".to_string(), "its owner"),
        more => (format!("{more} TVIEWs are"), "their owners"),
    };
    Problem::for_notice(format!("{tviews} left to {owners} and to the workers")).notice();
}

/// The TVIEWs to refresh: all that may and whose owners' rights the caller has, or one and those of these that it reads,
/// sources first. With it, how many others there are.
fn wanted(driver: Driver, only: Option<&Definition>) -> (Vec<Oid>, usize) {
    let loaded = driver.transaction(|| {
        let all = transaction::with_snapshot(|| run_internal(definition::load_all));
        let refreshing = all
            .into_iter()
            .filter(|definition| definition.state.may_refresh());
        let rights = |definition: &Definition| permit::has_rights(definition.owner);
        refreshing.partition::<Vec<_>, _>(rights)
    });
    let (own, of_others) = loaded.unwrap_or_default();
    let sources: HashMap<Oid, Vec<Oid>> = own
        .into_iter()
        .map(|definition| (definition.tview, definition.sources))
        .collect();
    let mut tviews: Vec<Oid> = match only {
        Some(only) => vec![only.tview],
        None => sources.keys().copied().collect(),
    };
    tviews.sort_by_key(|tview| tview.to_u32());
    let order = feeds::sources_first(&tviews, |tview| sources.get(&tview).map(Vec::as_slice));
    (order, if only.is_some() { 0 } else { of_others.len() })
}
