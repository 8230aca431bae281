//! `pg_tviews_wait`: until everything committed before the call is in the tv table.

use std::time::Duration;

use pgrx::PgSqlErrorCode;

use super::absorbed::wait_for;
use super::dead_keys::report_dead_keys;
use super::kept_snapshot::{is_behind_in_snapshot, keeps_its_snapshot, not_in_snapshot};
use super::patience::Patience;
use crate::capture;
use crate::catalog::{definition, feeds};
use crate::error::{OrRaise, Problem};
use crate::postgres::transaction;

/// True once a TVIEW (or every TVIEW) shows all that was committed before the call; false on timeout.
pub fn wait(name: Option<&str>, timeout: Option<Duration>) -> bool {
    refuse_where_futile().or_raise();
    let only = definition::find_or_all(name).or_raise();
    let mut patience = Patience::new(timeout);
    // A TVIEW may read the table of another: those come first, each up to what is committed by then.
    let stages = feeds::stages_of(only.as_ref());
    let waited = if keeps_its_snapshot() {
        if is_behind_in_snapshot(&stages.concat()) {
            not_in_snapshot().raise();
        }
        true
    } else {
        stages
            .iter()
            .all(|stage| wait_for(stage, only.as_ref(), &mut patience))
    };
    if waited {
        report_dead_keys(&stages.concat());
    }
    waited
}

/// An error where waiting is in vain: on a standby, and for changes of this transaction.
pub fn refuse_where_futile() -> Result<(), Problem> {
    if transaction::in_recovery() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot wait for TVIEWs during recovery",
        )
        .detail("What a standby shows depends on how far it has replayed, not on refreshes here.")
        .hint("Call it on the primary."));
    }
    if !capture::pending_sources().is_empty() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "this transaction has changes of its own that are not committed",
        )
        .detail("They cannot become visible in a TVIEW before they are committed.")
        .hint("Run COMMIT, and then SELECT pg_tviews_wait();"));
    }
    Ok(())
}
