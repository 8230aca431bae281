//! `pg_tview_revision`: the greatest revision among the rows that were deleted of a TVIEW. Rows that are inserted
//! later begin after it, so that no key gets a revision again that it has had.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::session_statement::SessionStatement;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

thread_local! {
    static KEEP: SessionStatement = const { SessionStatement::new() };
}

/// Keeps a revision that the current transaction has deleted, if it is greater than what is kept. Rows are only
/// added: an update would wait for other sessions that delete rows.
pub fn keep(tview: Oid, revision: i64) {
    let args = [Value::of(tview), Value::of(revision)];
    run_internal(|| {
        spi::session(|| {
            KEEP.with(|keep| keep.get(|| statement!("revision_keep"), &[pg_sys::OIDOID, pg_sys::INT8OID]))
                .run(Access::Current, &args, 0);
        })
    });
}

/// Removes what a greater revision has replaced, and what is kept of tables that no longer exist.
pub fn trim() {
    if extension::relation(c"pg_tview_revision").is_some() {
        run_internal(|| spi::session(|| spi::run(&statement!("revision_trim"), Access::Current, &[])));
    }
}
