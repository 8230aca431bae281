//! The current moment as a position.

use super::position::Position;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction;

thread_local! {
    static SNAPSHOT: SessionStatement = const { SessionStatement::new() };
}

/// The snapshot of the running statement. With internal rights.
pub fn seen() -> Position {
    read(Access::Snapshot)
}

/// A new snapshot that counts this transaction as in progress, so that its own writes come after the
/// position.
pub fn this_moment() -> Position {
    let own = transaction::own_xid();
    read(Access::Current).with_in_progress(own)
}

fn read(access: Access) -> Position {
    let text = spi::session(|| {
        SNAPSHOT
            .with(|s| {
                s.get(
                    || "SELECT pg_catalog.pg_current_snapshot()::text".to_string(),
                    &[],
                )
            })
            .run(access, &[], 1)
            .one::<String>()
    });
    match text.and_then(|text| text.parse().ok()) {
        Some(position) => position,
        None => pgrx::error!("pg_current_snapshot() returned no snapshot"),
    }
}
