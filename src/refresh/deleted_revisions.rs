//! `pg_tview_revision`: the greatest revision among the rows that were deleted of a TVIEW. Rows that are inserted
//! later begin after it, so that no key gets a revision again that it has had.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::session_statement::SessionStatement;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::with_latest_snapshot;
use crate::statement;

thread_local! {
    static KEEP: SessionStatement = const { SessionStatement::new() };
    static FIRST: SessionStatement = const { SessionStatement::new() };
}

/// What rows begin with that are inserted under the active snapshot. Read under a newer one: whoever does not see
/// a row any more gets what is kept of its revision. The owner of the TVIEW may lack rights on the schema of the
/// extension, so the statement that inserts rows cannot read it.
pub fn first(tview: Oid) -> i64 {
    run_internal(|| {
        with_latest_snapshot(|| {
            spi::session(|| {
                FIRST
                    .with(|first| first.get(|| statement!("revision_first"), &[pg_sys::OIDOID]))
                    .run(Access::Snapshot, &[Value::of(tview)], 0)
                    .one::<i64>()
                    .unwrap_or(1)
            })
        })
    })
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
