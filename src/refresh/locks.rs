//! Locks that a refresh takes before its snapshot, and how long a refresh waits for others.

use std::time::Duration;

use super::outcome::Status;
use crate::catalog::definition;
use crate::postgres::run_as;
use crate::postgres::transaction::lock::{self, Attempt};

/// Whoever has locked one of the extension's tables may be about to lock what a refresh reads (DROP EXTENSION does).
pub fn own_tables() -> Result<(), Status> {
    for (table, lock) in definition::own_tables().ok_or(Status::NotReady)? {
        match lock::try_table(table, lock) {
            Attempt::Locked => {}
            Attempt::Held => return Err(Status::Busy),
            Attempt::Gone => return Err(Status::NotReady),
        }
    }
    Ok(())
}

/// For locks that cannot be tried first, as those on rows of the tv table: sessions may be queueing behind this transaction,
/// other TVIEWs behind this worker.
pub fn limit_waits(longest: Duration) {
    let milliseconds = longest.as_millis();
    run_as::set_local("lock_timeout", &format!("{milliseconds}ms"));
}
