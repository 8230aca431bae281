//! Short transactions of background processes, whose ERRORs go to the server log.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{pg_sys, PgTryBuilder};

use crate::error::Problem;

/// Runs `work` in a transaction of its own, at the session's isolation level. An ERROR rolls it back, goes to
/// the server log, and gives `None`.
pub fn short_transaction<R>(work: impl FnOnce() -> R) -> Option<R> {
    guarded(|| {
        // SAFETY: called outside any transaction (background processes only); every start is matched by a
        // commit here or by the abort in `guarded`.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let result = work();
        // SAFETY: ends what was begun above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        result
    })
}

/// Runs `work` and keeps the process alive whatever it raises. A transaction that it left open is rolled
/// back, and the error goes to the server log.
pub fn guarded<R>(work: impl FnOnce() -> R) -> Option<R> {
    let result = PgTryBuilder::new(std::panic::AssertUnwindSafe(|| Some(work())))
        .catch_others(|error| {
            report(&error);
            None
        })
        .catch_rust_panic(|error| {
            report(&error);
            None
        })
        .execute();
    if result.is_none() {
        // SAFETY: harmless without a transaction; with one, releases its locks, snapshot and memory.
        unsafe { pg_sys::AbortOutOfAnyTransaction() };
    }
    result
}

/// Sends collected statistics about once a second; returns the time to wait before the rest can be sent.
pub fn report_statistics() -> Option<std::time::Duration> {
    // SAFETY: called outside any transaction, as PostgreSQL asserts.
    let wait = unsafe { pg_sys::pgstat_report_stat(false) };
    (wait > 0).then(|| std::time::Duration::from_millis(wait as u64))
}

fn report(error: &CaughtError) {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    let message = format!("pg_tviews background process: {}", report.message());
    let mut problem = Problem::new(report.sql_error_code(), message);
    problem.detail = report
        .detail()
        .filter(|detail| !detail.is_empty())
        .map(str::to_string);
    problem.warn();
}
