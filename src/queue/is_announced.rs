//! Whether transactions that logged DDL have announced it to other sessions.

use pgrx::pg_sys::Oid;

use super::position::Position;
use super::read::{outside, OUTSIDE};
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::spi::Access;
use crate::postgres::transaction;
use crate::statement;

thread_local! {
    static LOGGED_BY: SessionStatement = const { SessionStatement::new() };
}

/// Whether the transactions outside a position (None: all) that logged all rows of a source (TRUNCATE, DDL),
/// or a check of a definition, have finished their commit. Until then other sessions see the queue rows, but may not know of the DDL.
/// `own`: what counts for the running transaction, if it is one of them.
/// Under the snapshot of a refresh, inside an SPI session, with internal rights.
pub fn is_announced(position: Option<&Position>, sources: &[Oid], own: bool) -> bool {
    let rows = LOGGED_BY.with(|read| {
        read.get(|| statement!("queue_every_row_by"), &OUTSIDE).run(
            Access::Snapshot,
            &outside(position, sources.to_vec()),
            0,
        )
    });
    (0..rows.len())
        .filter_map(|row| rows.get::<String>(row, 0)?.parse().ok())
        .all(|xid| {
            if transaction::is_own(xid) {
                own
            } else {
                transaction::is_over(xid)
            }
        })
}
