//! Gives up backlogs larger than `pg_tviews.max_backlog`, of TVIEWs that are not being refreshed.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::pause::pause_after;
use super::queue_trimmer;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::Driver;
use crate::refresh::backlog_limit;
use crate::wake::database::Database;

/// The shortest pause between two checks.
const PAUSE: i64 = 10_000_000;

/// When backlogs are to be checked.
pub fn due_at(database: &Database) -> i64 {
    database.backlogs_at.load(SeqCst)
}

/// Checks all backlogs.
pub fn run(database: &Database, now: i64) {
    background_worker::report_running("checking backlogs");
    let begin = Instant::now();
    if backlog_limit::enforce(Driver::Worker) {
        queue_trimmer::request_soon(database, now);
    }
    // Counting changes reads all of them.
    database
        .backlogs_at
        .store(now + pause_after(begin, PAUSE), SeqCst);
}
