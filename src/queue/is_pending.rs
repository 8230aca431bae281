//! Whether a TVIEW has changes that it has not absorbed.

use pgrx::pg_sys::{self, Oid};

use super::position::Position;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::planned_once;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

thread_local! {
    static PENDING: SessionStatement = const { SessionStatement::new() };
}

/// Whether a change visible at `target` is not absorbed by the TVIEW yet. False if the TVIEW was dropped.
pub fn is_pending(tview: Oid, target: &Position) -> bool {
    look_pending(tview, target).unwrap_or(false)
}

/// The same; None if the TVIEW was dropped.
pub fn look_pending(tview: Oid, target: &Position) -> Option<bool> {
    planned_once();
    let types = [pg_sys::OIDOID, pg_sys::TEXTOID];
    let args = [Value::of(tview), Value::of(target.to_string())];
    spi::session(|| {
        PENDING
            .with(|s| s.get(|| statement!("queue_is_pending"), &types))
            .run(Access::Snapshot, &args, 1)
            .one::<bool>()
    })
}
