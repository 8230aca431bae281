//! Trims `pg_tview_meta_audit`: deletes, in batches, the rows that `pg_tviews.audit_retention` does not keep.

use std::sync::atomic::Ordering::SeqCst;

use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::refresh::audit;
use crate::refresh::deleted_revisions;
use crate::refresh::running::forget;
use crate::refresh::shared_backlog::parts;
use crate::verify;
use crate::wake::database::Database;

/// How often to trim, at least.
const MINUTE: i64 = 60_000_000;
/// Rows per transaction.
const BATCH: usize = 10_000;

/// When the audit table is to be trimmed.
pub fn due_at(database: &Database) -> i64 {
    database.trim_audit_at.load(SeqCst)
}

/// Deletes one batch; also what is stored of shared backlogs that no refresh works on, and revisions that a greater
/// one has replaced.
pub fn run(database: &Database, now: i64) {
    background_worker::report_running("trimming pg_tview_meta_audit");
    let deleted = short_transaction(|| {
        parts::forget_stale();
        forget::forget_dropped();
        deleted_revisions::trim();
        verify::forget_dropped();
        audit::trim(BATCH)
    })
    .unwrap_or(0);
    let pause = if deleted >= BATCH as u64 { 0 } else { MINUTE };
    database.trim_audit_at.store(now + pause, SeqCst);
}
