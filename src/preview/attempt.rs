//! One TVIEW previewed for a query. A preview that fails is reported; the query continues without it.

use std::cell::Cell;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::notice::report;
use super::rows::{self, Obstacle};
use crate::capture::change_history::Changes;
use crate::error::{Caught, Problem};
use crate::postgres::hooks::executor::{self, Query};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction::{self, lock_timeout, with_latest_snapshot};
use crate::{settings, statement};

/// How a preview ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The rows were recomputed.
    Shown,
    /// Failed; the next query tries again.
    NotNow,
    /// Failed, and would fail again until something else changes.
    Never,
}

/// The maximum number of attempts, each under a newer snapshot, where other transactions change the same
/// rows.
const MAX_ATTEMPTS: usize = 3;
/// The first attempt waits for no lock.
const NO_WAIT: Duration = Duration::from_millis(1);

/// Recomputes the rows of a TVIEW that changes affect, for a query. `newest`: the query's snapshot is its own
/// and may be replaced by a new one.
pub fn attempt(query: &mut Query, tview: Oid, changes: &Changes, newest: bool) -> Outcome {
    let not_shown = |why: &str| {
        report(tview, PgSqlErrorCode::ERRCODE_WARNING, why, None);
        Outcome::NotNow
    };
    if transaction::is_read_only() {
        return not_shown("The transaction is read-only.");
    }
    if executor::is_being_written(tview) {
        return not_shown("A statement that writes or locks its rows is still running.");
    }
    let mut wait = NO_WAIT;
    let mut attempts = 0;
    loop {
        let error = match query.help(newest, || rows::show(tview, changes, wait)) {
            Ok(Ok(())) => return Outcome::Shown,
            Ok(Err(obstacle)) => return refused(tview, obstacle),
            Err(error) => error,
        };
        if error.is_cancel() {
            Problem::from(error).raise();
        }
        let held = error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
        let overtaken = newest && is_overtaken(&error);
        if held && wait == NO_WAIT {
            if let Some(longer) = may_wait() {
                wait = longer;
                continue;
            }
        }
        if held {
            WAITED_IN_VAIN.set(true);
        }
        attempts += 1;
        if overtaken && attempts < MAX_ATTEMPTS {
            continue;
        }
        failed(tview, &error);
        if held || overtaken {
            return Outcome::NotNow;
        }
        return Outcome::Never;
    }
}

fn refused(tview: Oid, obstacle: Obstacle) -> Outcome {
    let limit = settings::preview_limit();
    match obstacle {
        Obstacle::TooMany => report(
            tview,
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            &format!("They affect more than {limit} rows."),
            Some("They are shown soon after COMMIT. SET pg_tviews.preview_limit to a higher number to see them before."),
        ),
        Obstacle::Redefined => report(
            tview,
            PgSqlErrorCode::ERRCODE_WARNING,
            "Its view has changed, and its rows have not been compared with it since.",
            None,
        ),
        Obstacle::Refused(reason) => report(
            tview,
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            &format!("C{}.", &reason[1..]),
            Some("They are shown soon after COMMIT."),
        ),
        Obstacle::TooWide => report(
            tview,
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "Its view reads more partitions than max_locks_per_transaction.",
            Some("They are shown soon after COMMIT."),
        ),
        // It was dropped, or paused, a moment ago.
        Obstacle::Gone => {}
    }
    Outcome::Never
}

fn failed(tview: Oid, error: &Caught) {
    let (why, hint) = match error.code {
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
        | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
        | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE => (
            "Other transactions are changing the same rows",
            Some("They are shown soon after COMMIT."),
        ),
        _ => ("They could not be computed", None),
    };
    let why = format!("{why}: {} (SQLSTATE {}).", error.message, error.sqlstate());
    report(tview, error.code, &why, hint);
}

/// Whether another transaction has changed the same rows since the snapshot.
fn is_overtaken(error: &Caught) -> bool {
    matches!(
        error.code,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
    )
}

thread_local! {
    /// Whether this transaction has waited for a lock that was not released in time.
    static WAITED_IN_VAIN: Cell<bool> = const { Cell::new(false) };
}

/// How long to wait for locks of other sessions. None: not at all, because another session waits for this
/// transaction, and a deadlock might cancel that session; or because this transaction has waited in vain
/// before. Always less than deadlock_timeout.
fn may_wait() -> Option<Duration> {
    if WAITED_IN_VAIN.get() || is_awaited() {
        return None;
    }
    let of_refreshes = settings::lock_timeout();
    let longest = lock_timeout::of_session().map_or(of_refreshes, |limit| limit.min(of_refreshes));
    let longest = longest.min(lock_timeout::until_deadlock_check() / 2);
    Some(longest.max(Duration::from_millis(1)))
}

/// Whether another session waits for a lock of this transaction.
fn is_awaited() -> bool {
    with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let rows = spi::run(&statement!("lock_is_awaited"), Access::Snapshot, &[]);
                rows.one::<bool>().unwrap_or(true)
            })
        })
    })
}

/// The transaction is over.
pub fn forget() {
    WAITED_IN_VAIN.set(false);
}
