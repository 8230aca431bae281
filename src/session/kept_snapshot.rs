//! Waiting in a transaction that keeps its snapshot (REPEATABLE READ, SERIALIZABLE). Refreshes that commit
//! later stay invisible, so the answer is in the snapshot already.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction;
use crate::queue::is_pending::is_pending;
use crate::queue::now;
use crate::queue::position::Position;

/// Whether this transaction sees no refresh that commits from now on.
pub fn keeps_its_snapshot() -> bool {
    !transaction::is_read_committed() && transaction::in_block()
}

/// Whether the transaction's snapshot shows a change, but not the refresh that absorbs it.
pub fn is_behind_in_snapshot(tviews: &[Oid]) -> bool {
    is_behind(tviews, &transaction::with_snapshot(|| run_internal(now::seen)))
}

/// The same for changes that are visible in `target`.
pub fn is_behind(tviews: &[Oid], target: &Position) -> bool {
    transaction::with_snapshot(|| run_internal(|| tviews.iter().any(|tview| is_pending(*tview, target))))
}

/// "This transaction cannot see what it would wait for."
pub fn not_in_snapshot() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "this transaction cannot see what it would wait for",
    )
    .detail("It keeps the snapshot it began with (REPEATABLE READ or SERIALIZABLE), and sees no refresh that commits later.")
    .hint("Run SELECT pg_tviews_wait(); before BEGIN, or use READ COMMITTED.")
}
