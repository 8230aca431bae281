//! Polls the queue for changes that no session has announced. A wake may be lost with a process, or the
//! extension may be dropped unnoticed; and COMMIT PREPARED does not know what it commits.
//!
//! Mostly only new rows are read: an old snapshot may keep many old ones in the queue.

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use pgrx::pg_sys::Oid;

use super::housekeeping::pause::pause_after;
use super::housekeeping::queue_trimmer;
use crate::postgres::extension;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::queue;
use crate::queue::position::Position;
use crate::wake::database::Database;

/// How often an idle worker polls.
pub const PAUSE: i64 = 5_000_000;
/// How often all rows are read instead of new ones.
const ALL_ROWS: i64 = 60_000_000;
/// The same where reading all rows takes long. A pause that seems longer is over: the clock was set back.
const ALL_ROWS_AT_LEAST: i64 = 10 * ALL_ROWS;

/// What one worker remembers of its polls.
#[derive(Default)]
pub struct QueuePoll {
    last: Option<Last>,
    /// It has just polled: sessions that ask for many polls must not keep it from refreshes.
    just_polled: bool,
}

/// The last poll of this worker.
struct Last {
    snapshot: Position,
    /// The sources it searched for. Rows of other sources were not read.
    sources: HashSet<Oid>,
}

impl QueuePoll {
    /// Whether to poll before anything else is done.
    pub fn is_urgent(&mut self, poll_at: i64) -> bool {
        poll_at == 0 && !std::mem::take(&mut self.just_polled)
    }

    /// Polls, unless another worker was faster, and notes the `sources` that have changes. False: the
    /// extension is gone. `poll_at`: the time that has come.
    pub fn poll(
        &mut self,
        database: &Database,
        sources: impl FnOnce() -> HashSet<Oid>,
        poll_at: i64,
        now: i64,
    ) -> bool {
        let last = database.poll_at.load(SeqCst);
        let next = &database.poll_at;
        let is_due = last.min(now + PAUSE) == poll_at;
        if !is_due || next.compare_exchange(last, now + PAUSE, SeqCst, SeqCst).is_err() {
            return true;
        }
        self.just_polled = true;
        background_worker::report_running("checking pg_tview_queue");
        let sources = sources();
        let left = database.look_at_all_at.load(SeqCst) - now;
        let is_enough =
            |last: &Last| (1..=ALL_ROWS_AT_LEAST).contains(&left) && last.sources.is_superset(&sources);
        let last = self.last.take().filter(is_enough);
        let since = last.as_ref().map(|last| (&last.snapshot, &sources));
        let begin = Instant::now();
        match short_transaction(|| extension::exists().then(|| queue::look(since))) {
            // Reported already; once more in a second.
            None => {
                next.fetch_min(now + 1_000_000, SeqCst);
            }
            Some(None) => return false,
            Some(Some(None)) => {}
            Some(Some(Some(found))) => {
                if found.at_all {
                    let pause = pause_after(begin, ALL_ROWS).min(ALL_ROWS_AT_LEAST);
                    database.look_at_all_at.store(now + pause, SeqCst);
                }
                if !found.sources.is_empty() {
                    database.note_changes(&found.sources);
                    database.sources.end_quiet();
                    queue_trimmer::request_in_a_minute(database, now);
                }
                self.last = Some(Last {
                    snapshot: found.snapshot,
                    sources,
                });
            }
        }
        true
    }
}
