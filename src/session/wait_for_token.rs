//! `pg_tviews_wait_for`: until what a token names is in the tv table.

use std::time::Duration;

use pgrx::PgSqlErrorCode;

use super::absorbed::{target, wait_until};
use super::dead_keys::report_dead_keys;
use super::kept_snapshot::{is_behind, keeps_its_snapshot, not_in_snapshot};
use super::patience::Patience;
use super::token::Token;
use super::wait::refuse_where_futile;
use crate::catalog::{definition, feeds};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, with_latest_snapshot, with_snapshot};
use crate::queue::now;

/// True once a TVIEW (or every TVIEW) shows all that the token names; false on timeout. A transaction that
/// was rolled back counts as done.
pub fn wait_for(token: &str, name: Option<&str>, timeout: Option<Duration>) -> bool {
    let token = Token::read(token).or_raise();
    refuse_where_futile().or_raise();
    if transaction::has_xid() && token.own() == Some(transaction::own_xid()) {
        own_token().raise();
    }
    let only = definition::find_or_all(name).or_raise();
    let mut patience = Patience::new(timeout);
    let stages = feeds::stages_of(only.as_ref());
    let waited = if keeps_its_snapshot() {
        let is_open = with_snapshot(|| !has_ended(&token));
        if is_open || is_behind(&stages.concat(), &token.target()) {
            not_in_snapshot().raise();
        }
        true
    } else {
        while with_latest_snapshot(|| !has_ended(&token)) {
            if !patience.pause() {
                return false;
            }
        }
        // What the refresh of one stage writes is a change for the next, by a transaction that the token
        // does not name.
        stages.iter().enumerate().all(|(number, stage)| {
            let target = if number == 0 { token.target() } else { target() };
            wait_until(stage, &target, only.as_ref(), &mut patience)
        })
    };
    if waited {
        report_dead_keys(&stages.concat());
    }
    waited
}

/// "This transaction would wait for itself."
fn own_token() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "the token was taken by this transaction, which is not committed",
    )
    .hint("Run COMMIT, and then wait for the token.")
}

/// Whether the transaction that took the token has ended, for the active snapshot.
fn has_ended(token: &Token) -> bool {
    token.own().is_none_or(|own| run_internal(now::seen).covers(own))
}
