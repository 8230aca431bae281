//! Removing what every TVIEW has absorbed, by visibility in their positions.

use pgrx::pg_sys;

use crate::catalog::definition;
use crate::catalog::session_cache::SessionStatement;
use crate::postgres::identity::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::{settings, statement};

thread_local! {
    static TRIM: SessionStatement = const { SessionStatement::new() };
    static TRIM_AUDIT: SessionStatement = const { SessionStatement::new() };
}

/// Deletes up to `limit` queue rows that every TVIEW reading their source has absorbed; returns how many.
/// Inside a transaction at READ COMMITTED with a snapshot.
pub fn trim(limit: usize) -> u64 {
    delete(
        &TRIM,
        || statement!("trim_queue"),
        &[pg_sys::INT8OID],
        &[Value::of(limit as i64)],
    )
}

/// Deletes up to `limit` audit rows older than `pg_tviews.audit_retention`, never a TVIEW's position.
pub fn trim_audit(limit: usize) -> u64 {
    let seconds = settings::audit_retention().as_secs_f64();
    let types = [pg_sys::INT8OID, pg_sys::FLOAT8OID];
    delete(
        &TRIM_AUDIT,
        || statement!("trim_audit"),
        &types,
        &[Value::of(limit as i64), Value::of(seconds)],
    )
}

fn delete(
    statement: &'static std::thread::LocalKey<SessionStatement>,
    text: impl FnOnce() -> String,
    types: &[pg_sys::Oid],
    args: &[Value],
) -> u64 {
    if definition::table().is_none() {
        return 0;
    }
    run_internal(|| {
        spi::session(|| {
            let rows = statement
                .with(|s| s.get(text, types))
                .run(Access::Current, args, 0);
            rows.len() as u64
        })
    })
}
