//! Looks into the queue that nobody asked for by name: in case a wake was lost with a process, or the extension went away
//! unseen, and after COMMIT PREPARED, which does not know what it commits.
//!
//! Mostly at what is new in the queue only: of what an old snapshot keeps there, there may be much.

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use pgrx::pg_sys::Oid;

use super::housekeeping;
use crate::postgres::extension;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::queue;
use crate::queue::position::Position;
use crate::wake::database::Database;

/// How often an idle worker looks.
pub const POLL: i64 = 5_000_000;
/// How often at all of the queue instead of what is new there.
const LOOK_AT_ALL: i64 = 60_000_000;
/// The same where that takes long; a wait that seems longer is a clock that was set back.
const LOOK_AT_ALL_AT_LEAST: i64 = 10 * LOOK_AT_ALL;

/// What one worker remembers of its looks.
#[derive(Default)]
pub struct Lookout {
    last: Option<Look>,
    /// It has just looked: whoever asks for many looks must not keep it from refreshes.
    looked: bool,
}

struct Look {
    snapshot: Position,
    /// Where it looked; those it did not know were left out.
    sources: HashSet<Oid>,
}

impl Lookout {
    /// Whether to look before anything else is done.
    pub fn is_urgent(&mut self, poll_at: i64) -> bool {
        poll_at == 0 && !std::mem::take(&mut self.looked)
    }

    /// Looks, unless another worker was faster, and notes the `sources` that have changes. False: the extension is gone.
    /// `poll_at`: the time that has come.
    pub fn look(
        &mut self,
        database: &Database,
        sources: impl FnOnce() -> HashSet<Oid>,
        poll_at: i64,
        now: i64,
    ) -> bool {
        let last = database.poll_at.load(SeqCst);
        let next = &database.poll_at;
        if last.min(now + POLL) != poll_at || next.compare_exchange(last, now + POLL, SeqCst, SeqCst).is_err()
        {
            return true;
        }
        self.looked = true;
        background_worker::report_running("looking at pg_tview_queue");
        let sources = sources();
        let left = database.look_at_all_at.load(SeqCst) - now;
        let is_enough =
            |last: &Look| (1..=LOOK_AT_ALL_AT_LEAST).contains(&left) && last.sources.is_superset(&sources);
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
                    let pause = housekeeping::pause_after(begin, LOOK_AT_ALL).min(LOOK_AT_ALL_AT_LEAST);
                    database.look_at_all_at.store(now + pause, SeqCst);
                }
                if !found.sources.is_empty() {
                    database.note_changes(&found.sources);
                    database.end_quiet();
                    housekeeping::wanted_some_time(database, now);
                }
                self.last = Some(Look {
                    snapshot: found.snapshot,
                    sources,
                });
            }
        }
        true
    }
}
