//! The locks that a refresh takes before its snapshot, and how long a refresh waits for locks on rows.

use std::time::Duration;

use super::one_refresh::Refresh;
use super::outcome::Status;
use super::plan::Plan;
use super::step::Step;
use crate::catalog::{definition, own_tables};
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::postgres::transaction::lock_timeout;
use crate::settings;

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
        // Locks on rows of the tv table cannot be tried first. Sessions may wait for this transaction, and other
        // TVIEWs for this worker.
        lock_timeout::limit_transaction(settings::lock_timeout());
        if let Some(step) = self.lock_what_is_read(plan) {
            return Some(step);
        }
        match lock::try_table(self.tview, TableLock::RowExclusive) {
            Attempt::Locked => {}
            Attempt::Held => return Some(Step::Done(Status::Busy)),
            Attempt::Gone => return Some(Step::Done(Status::NotReady)),
        }
        if let Some(revision) = &plan.shape.revision {
            match lock::try_table(revision.deleted, TableLock::RowExclusive) {
                Attempt::Locked => {}
                Attempt::Held => return Some(Step::Done(Status::Busy)),
                Attempt::Gone => return Some(Step::Stale),
            }
        }
        (!plan.is_current()).then_some(Step::Stale)
    }

    /// Locks the sources and views, or says why not.
    fn lock_what_is_read(&self, plan: &Plan) -> Option<Step> {
        let reads = self.tables_to_lock(plan).into_iter().chain(plan.view_oids());
        for relation in reads {
            match lock::try_table(relation, TableLock::AccessShare) {
                Attempt::Locked => {}
                Attempt::Held => return Some(Step::Done(Status::Busy)),
                Attempt::Gone => return Some(Step::Stale),
            }
        }
        None
    }

    /// Locks before the snapshot of a transaction that compares rows and writes none of the table. Refreshes of the
    /// TVIEW go on meanwhile. Code of the view may `wait` for other locks. False: a lock is not free, or the plan does not
    /// fit any more.
    pub fn lock_to_compare(&self, plan: &Plan, wait: Duration) -> bool {
        if own_tables().is_err() {
            return false;
        }
        lock_timeout::limit_transaction(wait);
        self.lock_what_is_read(plan).is_none()
            && lock::try_table(self.tview, TableLock::AccessShare) == Attempt::Locked
            && plan.is_current()
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
