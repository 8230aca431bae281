//! Removing what every TVIEW has absorbed, by visibility in their positions.
//!
//! A TVIEW that is made and filled in a transaction has a position that others cannot see before it commits. What is logged
//! after that position must stay: the transaction holds a lock on each source, shared with others of its kind, that the
//! trimmer asks for. Neither waits for the other for longer than a batch takes.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, ObjectLock};
use crate::{settings, statement};

thread_local! {
    static TRIM: SessionStatement = const { SessionStatement::new() };
    static TRIM_AUDIT: SessionStatement = const { SessionStatement::new() };
}

/// Deletes up to `limit` queue rows that every TVIEW reading their source has absorbed; returns how many.
/// Inside a transaction at READ COMMITTED with a snapshot.
pub fn trim(limit: usize) -> u64 {
    let Some(queue) = extension::relation(c"pg_tview_queue") else {
        return 0;
    };
    // Before the snapshot of the statement below: of who has let go of a lock by then, the position is visible.
    let sources = match lock::try_object(queue, queue, ObjectLock::Exclusive) {
        true => None,
        false => Some(not_kept(queue)),
    };
    delete(
        &TRIM,
        || statement!("queue_trim"),
        &[pg_sys::INT8OID, pg_sys::OIDARRAYOID],
        &[Value::of(limit as i64), Value::of(sources)],
    )
}

/// Keeps, to the end of the transaction, what is logged of these sources from now on, whatever others have absorbed.
pub fn keep(sources: &[Oid]) {
    let Some(queue) = extension::relation(c"pg_tview_queue") else {
        return;
    };
    for source in sources {
        lock::object_as(queue, *source, ObjectLock::Share);
    }
    // Last: a trimmer that finds this one free asks for none of the others.
    lock::object_as(queue, queue, ObjectLock::Share);
}

/// Sources with rows in the queue that nobody keeps there, at most as many as the lock table has room for.
fn not_kept(queue: Oid) -> Vec<Oid> {
    const MOST: usize = 500;
    let found = super::look(None).map(|look| look.sources).unwrap_or_default();
    found
        .into_iter()
        .filter(|source| lock::try_object(queue, *source, ObjectLock::Exclusive))
        .take(MOST)
        .collect()
}

/// Deletes up to `limit` audit rows older than `pg_tviews.audit_retention`, never a TVIEW's position.
pub fn trim_audit(limit: usize) -> u64 {
    let seconds = settings::audit_retention().as_secs_f64();
    let types = [pg_sys::INT8OID, pg_sys::FLOAT8OID];
    delete(
        &TRIM_AUDIT,
        || statement!("audit_trim"),
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
