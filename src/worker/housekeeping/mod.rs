//! What workers do when no refresh is due: services in short transactions, by one worker of a database at a
//! time.

pub mod audit_trimmer;
pub mod backlog_limiter;
pub mod feed_trimmer;
pub mod leftover_cleaner;
pub mod pause;
pub mod queue_trimmer;
pub mod verifier;

use std::sync::atomic::Ordering::SeqCst;

use crate::wake::database::Database;

/// When the first of the services is due.
pub fn due_at(database: &Database) -> i64 {
    services_due_at(database).min(verifier::due_at(database))
}

/// The same without verification, which comes last.
fn services_due_at(database: &Database) -> i64 {
    let services = [
        audit_trimmer::due_at(database),
        backlog_limiter::due_at(database),
        feed_trimmer::due_at(database),
        leftover_cleaner::due_at(database),
    ];
    let first = services.into_iter().chain(queue_trimmer::due_at(database)).min();
    first.unwrap_or(i64::MAX)
}

/// Runs the services that are due, one batch of each; false if another worker is running them. The caller
/// checks for due refreshes before the next batch. `bound`: the shortest of a TVIEW, in microseconds.
pub fn run(database: &Database, worker: usize, now: i64, bound: i64) -> bool {
    let me = worker as u32 + 1;
    let housekeeper = &database.housekeeper;
    if housekeeper.compare_exchange(0, me, SeqCst, SeqCst).is_err() {
        return false;
    }
    if services_due_at(database) > now {
        verifier::run(database, worker, bound);
    } else if queue_trimmer::due_at(database).is_some_and(|at| at <= now) {
        queue_trimmer::run(database, now);
    } else if audit_trimmer::due_at(database) <= now {
        audit_trimmer::run(database, now);
    }
    if feed_trimmer::due_at(database) <= now {
        feed_trimmer::run(database, now);
    }
    if leftover_cleaner::due_at(database) <= now {
        leftover_cleaner::run(database, now);
    }
    if backlog_limiter::due_at(database) <= now {
        backlog_limiter::run(database, now);
    }
    housekeeper.store(0, SeqCst);
    true
}
