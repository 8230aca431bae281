//! Commands on whole databases that need them without connections: the workers step aside, and come back whatever
//! becomes of the command.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::shared::{self, Database, LAUNCHER};
use crate::postgres::{clock, latch, process};

/// Workers that only sleep leave by themselves at once; only those in the middle of a refresh have to be interrupted.
const GRACE: Duration = Duration::from_millis(100);
/// PostgreSQL itself waits five seconds more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `command` while `database` has no workers.
pub fn without_workers<R>(database: Oid, command: impl FnOnce() -> R) -> R {
    // Released by Drop: an ERROR or a cancel request unwinds. If the process dies, the launcher notices.
    let _away = Database::find(database).and_then(Away::send);
    command()
}

/// The set of databases changed, or what may be done with them. The change is visible a moment after the command.
pub fn look_for_databases() {
    if let Some(launcher) = LAUNCHER.get().first() {
        launcher.scan_at.store(clock::now() + 300_000, SeqCst);
        shared::wake_launcher();
    }
}

struct Away {
    database: &'static Database,
}

impl Away {
    fn send(database: &'static Database) -> Option<Self> {
        database.block(process::pid()).then_some(())?;
        let away = Self { database };
        database.wake_all();
        let begun = Instant::now();
        let mut interrupted = false;
        while database.running().next().is_some() && begun.elapsed() < PATIENCE {
            if !interrupted && begun.elapsed() >= GRACE {
                interrupted = true;
                database
                    .running()
                    .for_each(|worker| process::terminate(worker.pid.load(SeqCst)));
            }
            latch::pause(Duration::from_millis(5));
        }
        Some(away)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.database.unblock(process::pid());
        shared::wake_launcher();
    }
}
