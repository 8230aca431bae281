//! Removes queue rows that every TVIEW has absorbed, by visibility in the positions of the TVIEWs.

use pgrx::pg_sys;

use super::keep::not_kept;
use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

thread_local! {
    static TRIM: SessionStatement = const { SessionStatement::new() };
}

/// Deletes up to `limit` queue rows that every TVIEW reading their source has absorbed; returns how many.
/// Inside a transaction at READ COMMITTED with a snapshot.
pub fn trim(limit: usize) -> u64 {
    let Some(queue) = extension::relation(c"pg_tview_queue") else {
        return 0;
    };
    // Before the snapshot of the statement below.
    let sources = not_kept(queue);
    if definition::table().is_none() {
        return 0;
    }
    let args = [Value::of(limit as i64), Value::of(sources)];
    run_internal(|| {
        spi::session(|| {
            let types = [pg_sys::INT8OID, pg_sys::OIDARRAYOID];
            let rows = TRIM
                .with(|trim| trim.get(|| statement!("queue_trim"), &types))
                .run(Access::Current, &args, 0);
            rows.len() as u64
        })
    })
}
