//! The locks that a refresh takes before its snapshot, and how long a refresh waits for locks on rows.

use std::time::Duration;

use super::one_refresh::Refresh;
use super::outcome::Status;
use super::plan::Plan;
use super::step::Step;
use crate::catalog::{definition, own_tables};
use crate::postgres::run_as;
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::settings;

/// How long a refresh waits for a row if keys are skipped whose rows another session holds.
const HELD_AFTER: Duration = Duration::from_millis(5);

impl Refresh<'_> {
    /// Locks before the snapshot: the tables of the extension (DROP EXTENSION locks them first, too), the
    /// TVIEW, then the relations that it reads. Waits for none of these locks: another session may hold one
    /// for long, and other TVIEWs need this process.
    pub fn lock(&self, plan: &Plan, tview: ObjectLock) -> Option<Step> {
        if let Err(status) = own_tables() {
            return Some(Step::Done(status));
        }
        let Some(class) = definition::table() else {
            return Some(Step::Done(Status::NotReady));
        };
        if !lock::try_object(class, self.tview, tview) {
            return Some(Step::Done(Status::Busy));
        }
        limit_waits(settings::lock_timeout());
        let reads = self.tables_to_lock(plan).into_iter().chain(plan.view_oids());
        for relation in reads {
            match lock::try_table(relation, TableLock::AccessShare) {
                Attempt::Locked => {}
                Attempt::Held => return Some(Step::Done(Status::Busy)),
                Attempt::Gone => return Some(Step::Stale),
            }
        }
        match lock::try_table(self.tview, TableLock::RowExclusive) {
            Attempt::Locked => {}
            Attempt::Held => return Some(Step::Done(Status::Busy)),
            Attempt::Gone => return Some(Step::Done(Status::NotReady)),
        }
        (!plan.is_current()).then_some(Step::Stale)
    }
}

/// Locks the tables of the extension. A session that holds one of them may be about to lock relations that a
/// refresh reads: DROP EXTENSION does.
pub fn own_tables() -> Result<(), Status> {
    for (table, lock) in own_tables::own_tables().ok_or(Status::NotReady)? {
        match lock::try_table(table, lock) {
            Attempt::Locked => {}
            Attempt::Held => return Err(Status::Busy),
            Attempt::Gone => return Err(Status::NotReady),
        }
    }
    Ok(())
}

/// Limits waits for locks that cannot be tried first, such as those on rows of the tv table. Sessions may
/// wait for this transaction, and other TVIEWs for this worker.
pub fn limit_waits(longest: Duration) {
    let milliseconds = longest.as_millis();
    run_as::set_local("lock_timeout", &format!("{milliseconds}ms"));
}

/// Limits waits for rows if keys are skipped whose rows another session holds; until the rights of the owner
/// are given back.
pub fn limit_waits_for_held_rows() {
    run_as::set("lock_timeout", &format!("{}ms", HELD_AFTER.as_millis()));
}
