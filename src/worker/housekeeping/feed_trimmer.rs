//! Trims `pg_tview_change`: deletes, in batches, what every consumer has acknowledged, and what is kept for too
//! long.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::pause::pause_after;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::refresh::feed;
use crate::wake::database::Database;

/// The shortest pause between two runs.
const PAUSE: i64 = 10_000_000;
/// Rows per transaction, for each of both reasons.
const BATCH: usize = 10_000;

/// When the feed is to be trimmed.
pub fn due_at(database: &Database) -> i64 {
    database.trim_feed_at.load(SeqCst)
}

/// Deletes one batch.
pub fn run(database: &Database, now: i64) {
    background_worker::report_running("trimming pg_tview_change");
    let begin = Instant::now();
    let pause = match short_transaction(|| feed::trim(BATCH)) {
        Some(deleted) if deleted >= BATCH as u64 => 0,
        // What is kept is read again each time.
        Some(_) | None => pause_after(begin, PAUSE),
    };
    database.trim_feed_at.store(now + pause, SeqCst);
}
