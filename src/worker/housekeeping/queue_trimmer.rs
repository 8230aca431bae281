//! Trims `pg_tview_queue`: deletes, in batches, the rows that every TVIEW has absorbed.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::pause::pause_after;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::queue;
use crate::wake::database::Database;

const SECOND: i64 = 1_000_000;
/// Rows per transaction.
const BATCH: usize = 10_000;

/// When the queue is to be trimmed; None: there is no need.
pub fn due_at(database: &Database) -> Option<i64> {
    match database.trim_at.load(SeqCst) {
        0 => None,
        at => Some(at),
    }
}

/// A refresh moved a position: a second from now queue rows may have become superfluous.
pub fn request_soon(database: &Database, now: i64) {
    request_by(database, now + database.trim_pause.load(SeqCst).max(SECOND));
}

/// The queue has rows, but no position has moved: perhaps no TVIEW is left to move one. Trimming then reads
/// all rows.
pub fn request_in_a_minute(database: &Database, now: i64) {
    request_by(database, now + 60 * SECOND);
}

/// At that time at the latest.
fn request_by(database: &Database, at: i64) {
    let earlier = |known: i64| (known == 0 || known > at).then_some(at);
    let _ = database.trim_at.fetch_update(SeqCst, SeqCst, earlier);
}

/// Makes a trim that is due soon due now; true if there was one. The last worker of a database may be
/// leaving.
pub fn bring_forward(database: &Database, now: i64) -> bool {
    let at = database.trim_at.load(SeqCst);
    let soon = at > now && at <= now + 2 * SECOND && database.housekeeper.load(SeqCst) == 0;
    soon && database.trim_at.compare_exchange(at, now, SeqCst, SeqCst).is_ok()
}

/// Deletes one batch.
pub fn run(database: &Database, now: i64) {
    // Cleared before the queue is read, so that a refresh that ends meanwhile asks again.
    database.trim_at.store(0, SeqCst);
    background_worker::report_running("trimming pg_tview_queue");
    let begin = Instant::now();
    let deleted = short_transaction(|| queue::trim(BATCH));
    // While an old snapshot is open, every trim reads past the rows that were deleted.
    let pause = pause_after(begin, SECOND);
    database.trim_pause.store(pause, SeqCst);
    let again = match deleted {
        Some(0) => None,
        Some(deleted) if deleted >= BATCH as u64 => Some(now),
        Some(_) => Some(now + pause),
        None => Some(now + 10 * SECOND),
    };
    if let Some(at) = again {
        let _ = database.trim_at.compare_exchange(0, at, SeqCst, SeqCst);
    }
}
