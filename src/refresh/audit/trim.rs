//! Removes old rows of `pg_tview_meta_audit`.

use pgrx::pg_sys;

use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::{settings, statement};

thread_local! {
    static TRIM: SessionStatement = const { SessionStatement::new() };
}

/// Deletes up to `limit` rows older than `pg_tviews.audit_retention`, and returns how many. The row with the
/// position of a TVIEW stays.
pub fn trim(limit: usize) -> u64 {
    if definition::table().is_none() {
        return 0;
    }
    let seconds = settings::audit_retention().as_secs_f64();
    let args = [Value::of(limit as i64), Value::of(seconds)];
    run_internal(|| {
        spi::session(|| {
            let types = [pg_sys::INT8OID, pg_sys::FLOAT8OID];
            let rows = TRIM
                .with(|trim| trim.get(|| statement!("audit_trim"), &types))
                .run(Access::Current, &args, 0);
            rows.len() as u64
        })
    })
}
