//! Commands on whole databases that need them without connections: the workers step aside, and come back whatever
//! becomes of the command. Such commands do not run in transaction blocks, so the end of the transaction is theirs.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use crate::postgres::hooks::transaction_end::at_transaction_end;
use crate::postgres::process::{self, clock, latch};
use crate::wake::database::Database;
use crate::wake::database::DATABASES;
use crate::wake::launcher::{self, LAUNCHER};

/// Workers that only sleep leave by themselves at once; only those in the middle of a refresh have to be interrupted.
const GRACE: Duration = Duration::from_millis(100);
/// PostgreSQL itself waits five seconds more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps workers away from `database` until the end of the transaction; returns when they are gone. A cancel request
/// ends the waiting, and then the command.
pub fn send_workers_away(database: Oid) {
    let Some(database) = Database::find(database) else {
        return;
    };
    if !database.block(process::pid()) {
        return;
    }
    at_transaction_end(command_ended);
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
        if !latch::pause(Duration::from_millis(5)) {
            return;
        }
    }
}

/// The set of databases, or what may be done with them, is about to change: the launcher looks after commit.
pub fn look_for_databases() {
    at_transaction_end(command_ended);
}

/// Runs in a transaction callback: atomics and SetLatch only.
fn command_ended() {
    let own = process::pid();
    DATABASES.get().iter().for_each(|database| database.unblock(own));
    if let Some(launcher) = LAUNCHER.get().first() {
        launcher.scan_at.store(clock::now(), SeqCst);
        launcher::wake();
    }
}
