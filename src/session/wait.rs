//! `pg_tviews_wait`: until everything committed before the call is in the tv table.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::not_refreshing::not_refreshing;
use super::patience::Patience;
use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
use crate::catalog::session_statement::SessionStatement;
use crate::error::{OrRaise, Problem};
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::queue::is_pending::{is_pending, look_pending};
use crate::queue::now;
use crate::queue::position::Position;
use crate::{capture, statement};

thread_local! {
    static DEAD: SessionStatement = const { SessionStatement::new() };
}

/// True once a TVIEW (or every TVIEW) shows all that was committed before the call; false on timeout.
pub fn wait(name: Option<&str>, timeout: Option<Duration>) -> bool {
    refuse_where_futile().or_raise();
    let only = name.map(|name| definition::find(name).or_raise());
    let mut patience = Patience::new(timeout);
    // A TVIEW may read the table of another: those come first, each up to what is committed by then.
    let stages = feeds::stages_of(only.as_ref());
    let waited = match keeps_its_snapshot() {
        true if is_behind_in_snapshot(&stages.concat()) => futile_in_snapshot().raise(),
        true => true,
        false => stages
            .iter()
            .all(|stage| wait_for(stage, only.as_ref(), &mut patience)),
    };
    if waited {
        tell_of_dead_keys(&stages.concat());
    }
    waited
}

/// What cannot be waited for here.
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
        .hint("COMMIT first, then SELECT pg_tviews_wait();"));
    }
    Ok(())
}

/// Whether this transaction sees no refresh that commits from now on: all is in its snapshot, or never will be.
pub fn keeps_its_snapshot() -> bool {
    !transaction::is_read_committed() && transaction::in_block()
}

/// Whether a change that the transaction's snapshot shows is not absorbed there.
pub fn is_behind_in_snapshot(tviews: &[Oid]) -> bool {
    transaction::with_snapshot(|| {
        run_internal(|| {
            let target = now::seen();
            tviews.iter().any(|tview| is_pending(*tview, &target))
        })
    })
}

/// "It cannot see what it would wait for."
pub fn futile_in_snapshot() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "this transaction cannot see what it would wait for",
    )
    .detail("It keeps the snapshot it began with (REPEATABLE READ or SERIALIZABLE), and sees no refresh that commits later.")
    .hint("SELECT pg_tviews_wait(); before BEGIN, or use READ COMMITTED.")
}

/// Waits until these TVIEWs have absorbed what is committed by now; false when the time is over. One that is dropped
/// meanwhile need not be waited for, unless it is the one that was `named`.
pub fn wait_for(tviews: &[Oid], named: Option<&Definition>, patience: &mut Patience) -> bool {
    let target = target();
    for tview in tviews {
        patience.renew();
        loop {
            let Some(definition) = run_internal(|| definition::load(*tview)) else {
                if let Some(named) = named.filter(|named| named.tview == *tview) {
                    dropped(named).raise();
                }
                break;
            };
            match is_pending_now(*tview, &target) {
                Some(false) => break,
                Some(true) => {}
                // The next look at its definition tells.
                None if patience.go_on() => continue,
                None => return false,
            }
            if !definition.state.refreshes() {
                not_refreshing(&definition).raise();
            }
            if !patience.go_on() {
                return false;
            }
        }
    }
    true
}

/// What is committed by now.
pub fn target() -> Position {
    with_latest_snapshot(|| run_internal(now::seen))
}

/// Whether a change visible in `target` is still not absorbed; None if the TVIEW was dropped in this moment.
pub fn is_pending_now(tview: Oid, target: &Position) -> Option<bool> {
    with_latest_snapshot(|| run_internal(|| look_pending(tview, target)))
}

/// "It was dropped meanwhile."
pub fn dropped(definition: &Definition) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("TVIEW \"{}\" was dropped meanwhile", definition.entity_name),
    )
}

/// Keys that fail are not waited for, as that might take for ever. Not a WARNING: one such key would fill the server's log.
fn tell_of_dead_keys(tviews: &[Oid]) {
    let counts: Vec<(Oid, i64)> = with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let rows = DEAD.with(|s| {
                    s.get(|| statement!("dead_letter_counts"), &[pg_sys::OIDARRAYOID])
                        .run(Access::Snapshot, &[Value::of(tviews.to_vec())], 0)
                });
                (0..rows.len())
                    .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
                    .collect()
            })
        })
    });
    for (tview, keys) in counts {
        let table = relation::display(tview);
        let message = match keys {
            1 => format!("one row of {table} is not up to date: its key could not be recomputed"),
            more => format!("{more} rows of {table} are not up to date: their keys could not be recomputed"),
        };
        Problem::for_notice(message)
            .hint("SELECT * FROM pg_tview_dead_letter; says why.")
            .notice();
    }
}
