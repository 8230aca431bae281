//! One TVIEW previewed for a query, and what becomes of it if that fails. Nothing that happens in here fails the query.

use std::cell::Cell;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::notice::tell;
use super::rows::{self, Why};
use crate::capture::change_history::Changes;
use crate::error::Caught;
use crate::error::Problem;
use crate::postgres::hooks::executor::{self, Query};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction::{query_snapshot, with_latest_snapshot};
use crate::{settings, statement};

/// How a preview ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Shown,
    /// The next query may have more luck.
    NotNow,
    /// Nor will it be before something else changes.
    Never,
}

/// Attempts under newer snapshots, where others were at the same rows.
const ATTEMPTS: usize = 3;
/// Nobody is waited for at first.
const NO_WAIT: Duration = Duration::from_millis(1);

/// Recomputes the rows of a TVIEW that changes concern, for a query. `newest`: its snapshot is its own and may be replaced by
/// one of this moment.
pub fn attempt(query: &mut Query, tview: Oid, changes: &Changes, newest: bool) -> Outcome {
    let not_shown = |why: &str| {
        tell(tview, PgSqlErrorCode::ERRCODE_WARNING, why, None);
        Outcome::NotNow
    };
    if query_snapshot::is_read_only() {
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
            Ok(Err(why)) => return refused(tview, why),
            Err(error) => error,
        };
        if error.is_cancel() {
            Problem::from(error).raise();
        }
        let held = error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
        let overtaken = newest && others_were_faster(&error);
        if held && wait == NO_WAIT {
            if let Some(longer) = may_wait() {
                wait = longer;
                continue;
            }
        }
        if held {
            IN_VAIN.set(true);
        }
        attempts += 1;
        if overtaken && attempts < ATTEMPTS {
            continue;
        }
        failed(tview, &error);
        return match held || overtaken {
            true => Outcome::NotNow,
            false => Outcome::Never,
        };
    }
}

fn refused(tview: Oid, why: Why) -> Outcome {
    let limit = settings::preview_limit();
    match why {
        Why::TooMany => tell(
            tview,
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            &format!("They affect more than {limit} rows."),
            Some("They are shown soon after COMMIT. SET pg_tviews.preview_limit to a higher number to see them before."),
        ),
        Why::Redefined => tell(
            tview,
            PgSqlErrorCode::ERRCODE_WARNING,
            "Its view has changed, and its rows have not been compared with it since.",
            None,
        ),
        Why::Refused(reason) => tell(
            tview,
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            &format!("C{}.", &reason[1..]),
            Some("They are shown soon after COMMIT."),
        ),
        Why::TooWide => tell(
            tview,
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "Its view reads more partitions than max_locks_per_transaction.",
            Some("They are shown soon after COMMIT."),
        ),
        // It was dropped, or paused, a moment ago.
        Why::Gone => {}
    }
    Outcome::Never
}

fn failed(tview: Oid, error: &Caught) {
    let (why, hint) = match error.code {
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
        | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
        | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE => (
            "Others are at the same rows",
            Some("They are shown soon after COMMIT."),
        ),
        _ => ("They could not be computed", None),
    };
    let why = format!("{why}: {} (SQLSTATE {}).", error.message, error.sqlstate());
    tell(tview, error.code, &why, hint);
}

fn others_were_faster(error: &Caught) -> bool {
    matches!(
        error.code,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
    )
}

thread_local! {
    /// Whether this transaction has waited for somebody who did not let go.
    static IN_VAIN: Cell<bool> = const { Cell::new(false) };
}

/// How long others may be waited for. Not at all while somebody waits for this transaction: it may be them, and the
/// deadlock would be theirs. Nor a second time in vain. And never until deadlocks are looked for.
fn may_wait() -> Option<Duration> {
    if IN_VAIN.get() || somebody_waits_for_us() {
        return None;
    }
    let (of_session, until_deadlock) = query_snapshot::lock_waits();
    let mut longest = settings::lock_timeout().as_millis() as i32;
    if of_session > 0 {
        longest = longest.min(of_session);
    }
    let longest = longest.min(until_deadlock / 2).max(1);
    Some(Duration::from_millis(longest as u64))
}

fn somebody_waits_for_us() -> bool {
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
    IN_VAIN.set(false);
}
