//! Workers that share a backlog: which worker takes which part. `refresh` applies the parts and stores in the
//! database which are done; this only keeps two workers from taking the same part.

use std::sync::atomic::Ordering::SeqCst;

use crate::postgres::process::clock;
use crate::wake::database::Database;
use crate::wake::launcher;
use crate::wake::tview::Tview;
use crate::{refresh, settings};

/// The workers of a database, as seen by the one that refreshes a TVIEW.
pub struct Team {
    /// Their database.
    pub database: &'static Database,
    /// Where parts are offered.
    pub progress: &'static Tview,
}

impl refresh::Team for Team {
    fn size(&self) -> usize {
        let size = self.database.workers.running().count();
        if size < settings::workers() && self.database.note_overload(clock::now()) {
            launcher::wake();
        }
        size
    }

    fn offer(&self, parts: u32, since: i64) {
        self.progress.changed_at.store(since, SeqCst);
        self.progress.parts.store(parts, SeqCst);
        for _ in 1..self.size() {
            self.database.workers.wake_one();
        }
    }

    fn take(&self) -> Option<u32> {
        self.progress.take_part()
    }

    fn others_at_work(&self) -> bool {
        self.progress.helpers.load(SeqCst) != 0
    }

    fn withdraw(&self) {
        self.progress.parts.store(0, SeqCst);
    }
}
