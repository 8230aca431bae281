//! Removes what dropped TVIEWs have left: capture triggers that no TVIEW needs any more.

use std::sync::atomic::Ordering::SeqCst;

use crate::define;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::Driver;
use crate::wake::database::Database;

const SECOND: i64 = 1_000_000;
/// The longest pause between two runs.
const LONGEST_PAUSE: i64 = 60 * SECOND;
/// Tables in use are passed over. After failing for so long, the cleaner waits a moment for their locks.
const IMPATIENT: i64 = 8 * SECOND;

/// When leftovers are to be removed.
pub fn due_at(database: &Database) -> i64 {
    database.tidy_at.load(SeqCst)
}

/// TVIEWs were dropped.
pub fn request(database: &Database) {
    database.tidy_pause.store(SECOND, SeqCst);
    database.tidy_at.store(0, SeqCst);
}

/// Removes what can be locked, and comes back for the rest after a pause that doubles.
pub fn run(database: &Database, now: i64) {
    background_worker::report_running("removing what dropped TVIEWs have left");
    let pause = database.tidy_pause.load(SeqCst).clamp(SECOND, LONGEST_PAUSE);
    // Stored before leftovers are read, so that a session that drops a TVIEW meanwhile asks again.
    database.tidy_at.store(now + LONGEST_PAUSE, SeqCst);
    if define::unused_triggers::remove(Driver::Worker, pause >= IMPATIENT) > 0 {
        database.tidy_pause.store(2 * pause, SeqCst);
        database.tidy_at.fetch_min(now + pause, SeqCst);
    }
}
