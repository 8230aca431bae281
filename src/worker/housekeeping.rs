//! Trims the queue and the audit table, and gives up what nobody will read, when nothing is due. One worker of a database at a time, in short transactions.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::postgres::transaction::Driver;
use crate::refresh::give_up;
use crate::refresh::shared_backlog::parts;
use crate::wake::database::Database;
use crate::{define, queue};

const SECOND: i64 = 1_000_000;
/// How often to look for backlogs, at least.
const BACKLOGS: i64 = 10 * SECOND;
/// How often to look for what dropped TVIEWs have left, at least.
const TIDY: i64 = 60 * SECOND;
/// After this long without luck a table in use is waited for, for a moment.
const IMPATIENT: i64 = 8 * SECOND;
/// Rows per transaction.
const BATCH: usize = 10_000;

/// A refresh moved a position: a second from now queue rows may have become superfluous.
pub fn wanted(database: &Database, now: i64) {
    trim_by(database, now + database.trim_pause.load(SeqCst).max(SECOND));
}

/// There are rows, but no position has moved: perhaps nobody is left to move one. Looking goes over all of them.
pub fn wanted_some_time(database: &Database, now: i64) {
    trim_by(database, now + 60 * SECOND);
}

/// TVIEWs are gone.
pub fn wanted_tidy(database: &Database) {
    database.tidy_pause.store(SECOND, SeqCst);
    database.tidy_at.store(0, SeqCst);
}

fn tidy(database: &Database, now: i64) {
    background_worker::report_running("removing what dropped TVIEWs have left");
    let pause = database.tidy_pause.load(SeqCst).clamp(SECOND, TIDY);
    // Taken before looking: whoever drops a TVIEW meanwhile asks again.
    database.tidy_at.store(now + TIDY, SeqCst);
    if define::drop::tidy(Driver::Worker, pause >= IMPATIENT) > 0 {
        database.tidy_pause.store(2 * pause, SeqCst);
        database.tidy_at.fetch_min(now + pause, SeqCst);
    }
}

/// At that time at the latest; 0 is never.
fn trim_by(database: &Database, at: i64) {
    let earlier = |known: i64| (known == 0 || known > at).then_some(at);
    let _ = database.trim_at.fetch_update(SeqCst, SeqCst, earlier);
}

/// Whether the queue was to be trimmed soon, and is to be at once now. The last worker of a database may be leaving.
pub fn trim_now(database: &Database, now: i64) -> bool {
    let at = database.trim_at.load(SeqCst);
    let soon = at > now && at <= now + 2 * SECOND && database.housekeeper.load(SeqCst) == 0;
    soon && database.trim_at.compare_exchange(at, now, SeqCst, SeqCst).is_ok()
}

/// Long enough for what began then to take no more than a twentieth of the time.
pub fn pause_after(begin: Instant, least: i64) -> i64 {
    least.max(20 * begin.elapsed().as_micros() as i64)
}

/// When there is something to do.
pub fn due_at(database: &Database) -> i64 {
    let others = database
        .trim_audit_at
        .load(SeqCst)
        .min(database.backlogs_at.load(SeqCst))
        .min(database.tidy_at.load(SeqCst));
    match database.trim_at.load(SeqCst) {
        0 => others,
        queue => queue.min(others),
    }
}

/// One batch, unless another worker is at it; true if there was one. The caller comes back after looking for due
/// refreshes.
pub fn run(database: &Database, index: usize, now: i64) -> bool {
    let me = index as u32 + 1;
    if database
        .housekeeper
        .compare_exchange(0, me, SeqCst, SeqCst)
        .is_err()
    {
        return false;
    }
    let queue_at = database.trim_at.load(SeqCst);
    if queue_at != 0 && queue_at <= now {
        // Taken before looking, so that a refresh that ends meanwhile asks again.
        database.trim_at.store(0, SeqCst);
        background_worker::report_running("trimming pg_tview_queue");
        let begin = Instant::now();
        let deleted = short_transaction(|| queue::trim(BATCH));
        // Under an old snapshot what was deleted is there to be passed over, each time.
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
    } else if database.trim_audit_at.load(SeqCst) <= now {
        background_worker::report_running("trimming pg_tview_meta_audit");
        let deleted = short_transaction(|| {
            parts::forget_stale();
            queue::trim_audit(BATCH)
        })
        .unwrap_or(0);
        let pause = if deleted >= BATCH as u64 { 0 } else { 60 * SECOND };
        database.trim_audit_at.store(now + pause, SeqCst);
    }
    if database.tidy_at.load(SeqCst) <= now {
        tidy(database, now);
    }
    if database.backlogs_at.load(SeqCst) <= now {
        background_worker::report_running("looking for backlogs");
        let begin = Instant::now();
        if give_up::give_up_excess(Driver::Worker) {
            wanted(database, now);
        }
        // Counting changes reads all of them.
        database
            .backlogs_at
            .store(now + pause_after(begin, BACKLOGS), SeqCst);
    }
    database.housekeeper.store(0, SeqCst);
    true
}
