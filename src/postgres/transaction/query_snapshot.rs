//! What a query that is about to start sees, and replacing its snapshot by one that sees more of its own
//! transaction. A snapshot is never changed in place: a STABLE function shares the snapshot of the statement
//! that calls it, and would see partial effects of that statement.

use pgrx::pg_sys;

use super::state::{command, next_command};
use super::subtransaction::attempt_catching_all;
use crate::error::Caught;
use crate::postgres::hooks::executor::Query;
use crate::postgres::spi;

/// The other transactions that a snapshot sees: equal for two snapshots that see the same. A copy of a
/// snapshot lacks the count of completed transactions, so the transactions themselves are compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherTransactions {
    xmin: u32,
    xmax: u32,
    /// Those in progress between the two, sorted: PostgreSQL lists them in the order of its processes.
    running: Vec<u32>,
    /// Subtransactions of those, sorted. Too many of them are looked up when they are met: none is listed then.
    subtransactions: Vec<u32>,
    overflowed: bool,
}

/// Sorted copy of an array of PostgreSQL's. Where it is empty the pointer may be null.
///
/// # Safety
/// `first` points at `length` transaction ids, unless that is 0.
unsafe fn sorted(first: *const pg_sys::TransactionId, length: usize) -> Vec<u32> {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: as the caller promises.
    let mut ids: Vec<u32> = unsafe { std::slice::from_raw_parts(first, length) }
        .iter()
        .map(|id| (*id).into())
        .collect();
    ids.sort_unstable();
    ids
}

/// While this value lives, rows that other transactions changed since the snapshot are an ERROR, as in
/// REPEATABLE READ. Otherwise a statement under an older snapshot would update row versions that the snapshot
/// does not see, and the query would find two versions of one row.
struct NoFollowing(i32);

impl NoFollowing {
    fn begin() -> NoFollowing {
        // SAFETY: one thread; put back when dropped.
        unsafe {
            let before = NoFollowing(pg_sys::XactIsoLevel);
            pg_sys::XactIsoLevel = before.0.max(pg_sys::XACT_REPEATABLE_READ as i32);
            before
        }
    }
}

impl Drop for NoFollowing {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pg_sys::XactIsoLevel = self.0 }
    }
}

/// What a statement sees: two statements of a transaction whose views are equal see the same rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    others: OtherTransactions,
    command: u32,
}

/// What the running statement sees; None without an active snapshot.
pub fn seen() -> Option<Seen> {
    // SAFETY: an active snapshot is valid.
    unsafe {
        pg_sys::ActiveSnapshotSet().then(|| {
            let snapshot = pg_sys::GetActiveSnapshot();
            Seen {
                others: OtherTransactions::of(snapshot),
                command: (*snapshot).curcid,
            }
        })
    }
}

impl OtherTransactions {
    /// # Safety
    /// The snapshot is valid.
    unsafe fn of(snapshot: pg_sys::Snapshot) -> OtherTransactions {
        // SAFETY: as the caller promises.
        unsafe {
            let snapshot = &*snapshot;
            // A copy counts subtransactions that it does not list. In recovery, all transactions are among them.
            let lists_subtransactions = !snapshot.suboverflowed || snapshot.takenDuringRecovery;
            let subtransactions = if lists_subtransactions {
                sorted(snapshot.subxip, snapshot.subxcnt.max(0) as usize)
            } else {
                Vec::new()
            };
            OtherTransactions {
                xmin: snapshot.xmin.into(),
                xmax: snapshot.xmax.into(),
                running: sorted(snapshot.xip, snapshot.xcnt as usize),
                subtransactions,
                overflowed: snapshot.suboverflowed,
            }
        }
    }
}

impl Query {
    /// The command up to which the query sees its own transaction.
    pub fn command(&self) -> u32 {
        // SAFETY: queries that get here have a snapshot.
        unsafe { (*self.snapshot()).curcid }
    }

    /// The other transactions that the query sees.
    pub fn other_transactions(&self) -> OtherTransactions {
        // SAFETY: as above.
        unsafe { OtherTransactions::of(self.snapshot()) }
    }

    /// Whether the snapshot may be replaced by a newer one: it was taken for this query only, not for a
    /// statement that is running already. The functions in a fresh view read the active snapshot, which stays
    /// as it is.
    pub fn owns_snapshot(&self) -> bool {
        // SAFETY: as above; every query that uses a snapshot has registered it.
        unsafe { (*self.snapshot()).regd_count == 1 && !self.reads_fresh_view() }
    }

    /// Runs `work` under the snapshot of the query.
    pub fn under_its_snapshot<R>(&self, work: impl FnOnce() -> R) -> R {
        // SAFETY: pushed and popped in balance; an ERROR in between aborts the transaction, which pops it.
        unsafe {
            pg_sys::PushActiveSnapshot(self.snapshot());
            let result = work();
            pg_sys::PopActiveSnapshot();
            result
        }
    }

    /// Runs `check` under a new snapshot. If that returns true, the query reads with this very snapshot. In
    /// READ COMMITTED, for a query that owns its snapshot.
    pub fn read_newest_if(&mut self, check: impl FnOnce() -> bool) -> bool {
        // SAFETY: as above.
        unsafe {
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let is_good = check();
            if is_good {
                self.see_copy_of(pg_sys::GetActiveSnapshot(), self.command());
            }
            pg_sys::PopActiveSnapshot();
            is_good
        }
    }

    fn snapshot(&self) -> pg_sys::Snapshot {
        // SAFETY: the description is valid.
        unsafe { (*self.description).snapshot }
    }

    /// Runs `work`, which writes, under the snapshot of the query, or with `newest` under a new one, in a
    /// subtransaction that is rolled back on an ERROR. The query sees afterwards what `work` wrote.
    pub fn help<R>(&mut self, newest: bool, work: impl FnOnce() -> R) -> Result<R, Caught> {
        // SAFETY: snapshots are pushed and popped in balance: `attempt` catches errors and takes its own
        // down.
        unsafe {
            // Functions in views take the snapshot of the transaction: it must be alive.
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            if !newest {
                pg_sys::PushCopiedSnapshot(self.snapshot());
            }
            (*pg_sys::GetActiveSnapshot()).curcid = command();
            let no_following = NoFollowing::begin();
            let result = attempt_catching_all(|| spi::under_active_snapshot(work));
            drop(no_following);
            if result.is_ok() {
                next_command();
                self.see_copy_of(pg_sys::GetActiveSnapshot(), command());
            }
            if !newest {
                pg_sys::PopActiveSnapshot();
            }
            pg_sys::PopActiveSnapshot();
            result
        }
    }

    /// Lets the query see what its own transaction did before `command`, and with `newest` what is committed
    /// now.
    pub fn see_until(&mut self, command: u32, newest: bool) {
        // SAFETY: as above.
        unsafe {
            if newest {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            } else {
                pg_sys::PushCopiedSnapshot(self.snapshot());
            }
            self.see_copy_of(pg_sys::GetActiveSnapshot(), command);
            pg_sys::PopActiveSnapshot();
        }
    }

    unsafe fn see_copy_of(&mut self, snapshot: pg_sys::Snapshot, command: u32) {
        // SAFETY: the query has registered its snapshot with the current resource owner, just before it is
        // started, and will unregister there whatever it has by then. The copy is ours until it is
        // registered.
        unsafe {
            pg_sys::PushCopiedSnapshot(snapshot);
            let copy = pg_sys::GetActiveSnapshot();
            (*copy).curcid = command;
            let copy = pg_sys::RegisterSnapshot(copy);
            pg_sys::UnregisterSnapshot((*self.description).snapshot);
            (*self.description).snapshot = copy;
            pg_sys::PopActiveSnapshot();
            self.alone();
        }
    }

    /// Parallel workers use the active snapshot, not that of the query. A query whose snapshot differs must
    /// run without them.
    unsafe fn alone(&mut self) {
        // SAFETY: a plan may be in a cache and is not changed; the copy lives where the description was just
        // made.
        unsafe {
            let plan = (*self.description).plannedstmt;
            if (*plan).parallelModeNeeded {
                let copy = pg_sys::palloc(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
                copy.copy_from_nonoverlapping(plan, 1);
                (*copy).parallelModeNeeded = false;
                (*self.description).plannedstmt = copy;
            }
        }
    }
}
