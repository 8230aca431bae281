//! Commands that need a database without connections, such as DROP DATABASE: its workers leave, and start
//! again when the command has ended. These commands do not run in transaction blocks, so they end with their
//! transaction.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use crate::postgres::hooks::transaction_events::at_transaction_end;
use crate::postgres::process::{self, clock, latch};
use crate::wake::database::{Database, DATABASES};
use crate::wake::launcher::{self, LAUNCHER};

/// Workers that sleep leave within this time. Those in the middle of a refresh are interrupted after it.
const GRACE: Duration = Duration::from_millis(100);
/// How long to wait for workers to be gone. PostgreSQL itself waits five seconds more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps workers away from `database` until the end of the transaction; returns when they are gone. A cancel
/// request ends the wait, and then the command.
pub fn send_workers_away(database: Oid) {
    let Some(database) = Database::find(database) else {
        return;
    };
    if !database.blockers.add(process::pid()) {
        return;
    }
    at_transaction_end(command_ended);
    database.workers.wake_all();
    let begun = Instant::now();
    let mut interrupted = false;
    while database.workers.running().next().is_some() && begun.elapsed() < PATIENCE {
        if !interrupted && begun.elapsed() >= GRACE {
            interrupted = true;
            database
                .workers
                .running()
                .for_each(|worker| process::terminate(worker.pid.load(SeqCst)));
        }
        if !latch::pause(Duration::from_millis(5)) {
            return;
        }
    }
}

/// A database is about to be created, or its settings changed: the launcher reads `pg_database` after commit.
pub fn look_for_databases() {
    at_transaction_end(command_ended);
}

/// Runs in a transaction callback: atomics and SetLatch only.
fn command_ended() {
    let own = process::pid();
    DATABASES
        .get()
        .iter()
        .for_each(|database| database.blockers.remove(own));
    if let Some(launcher) = LAUNCHER.get().first() {
        launcher.scan_at.store(clock::now(), SeqCst);
        launcher::wake();
    }
}
