//! Locks that live to the end of the transaction.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};

/// Strength of a table lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableLock {
    /// The lock of readers.
    AccessShare,
    /// The lock of writers.
    RowExclusive,
    /// Blocks writers, not readers.
    ShareRowExclusive,
    /// Blocks writers and readers.
    AccessExclusive,
}

impl TableLock {
    fn mode(self) -> i32 {
        let mode = match self {
            TableLock::AccessShare => pg_sys::AccessShareLock,
            TableLock::RowExclusive => pg_sys::RowExclusiveLock,
            TableLock::ShareRowExclusive => pg_sys::ShareRowExclusiveLock,
            TableLock::AccessExclusive => pg_sys::AccessExclusiveLock,
        };
        mode as i32
    }

    /// The modes, as in `pg_locks`, that conflict with this one.
    pub fn conflicts(self) -> Vec<&'static str> {
        const MODES: [&str; 8] = [
            "AccessShareLock",
            "RowShareLock",
            "RowExclusiveLock",
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
        ];
        let weakest = match self {
            TableLock::AccessShare => 7,
            TableLock::RowExclusive => 4,
            TableLock::ShareRowExclusive => 2,
            TableLock::AccessExclusive => 0,
        };
        MODES[weakest..].to_vec()
    }
}

/// max_locks_per_transaction: transactions that all take more locks than this exhaust the lock table.
pub fn most_of_a_transaction() -> usize {
    // SAFETY: reads a setting.
    usize::try_from(unsafe { pg_sys::max_locks_per_xact }).unwrap_or(usize::MAX)
}

/// Tables that this process has locked for reading.
pub fn held_for_reading() -> i64 {
    run_internal(|| {
        spi::session(|| {
            let sql = "SELECT count(*) FROM pg_catalog.pg_locks
                        WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND mode = 'AccessShareLock'";
            spi::run(sql, Access::Snapshot, &[]).one().unwrap_or(0)
        })
    })
}

/// How a lock request without waiting ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    Locked,
    /// Another transaction holds, or waits for, a lock that conflicts.
    Held,
    /// There is no such table or view.
    Gone,
}

/// Takes a lock on a table or view if it is free now. None of the functions in this file assigns a
/// transaction id.
pub fn try_table(relation: Oid, lock: TableLock) -> Attempt {
    // SAFETY: an ordinary lock request without waiting.
    if !unsafe { pg_sys::ConditionalLockRelationOid(relation, lock.mode()) } {
        return Attempt::Held;
    }
    if open_close(relation, pg_sys::NoLock as i32) {
        Attempt::Locked
    } else {
        Attempt::Gone
    }
}

/// Waits for a lock on a table; false if the table is gone.
pub fn table(relation: Oid, lock: TableLock) -> bool {
    open_close(relation, lock.mode())
}

/// Opens with a lock that stays; false if there is no such relation.
fn open_close(relation: Oid, mode: i32) -> bool {
    // SAFETY: an ordinary open and close; an ERROR (timeout, deadlock, cancel) unwinds.
    unsafe {
        let open = pg_sys::try_relation_open(relation, mode);
        if open.is_null() {
            return false;
        }
        pg_sys::relation_close(open, pg_sys::NoLock as i32);
    }
    true
}

fn tag(class: Oid, object: Oid) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a backend-local variable.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// Waits for the lock of one TVIEW, which a transaction that refreshes, defines or drops the TVIEW holds.
/// `class` is the catalog table that describes TVIEWs: `pg_locks` shows it.
pub fn object(class: Oid, object: Oid) {
    // SAFETY: an ordinary lock request; an ERROR (timeout, deadlock, cancel) unwinds.
    unsafe {
        pg_sys::LockAcquire(&tag(class, object), pg_sys::ExclusiveLock as i32, false, false);
    }
}

/// Strength of the lock of one TVIEW.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectLock {
    /// Parts of one backlog are applied side by side.
    Share,
    /// For changes of the position or the definition.
    Exclusive,
}

impl ObjectLock {
    fn mode(self) -> i32 {
        let mode = match self {
            ObjectLock::Share => pg_sys::ShareLock,
            ObjectLock::Exclusive => pg_sys::ExclusiveLock,
        };
        mode as i32
    }
}

/// Waits for a lock of the given strength on one object.
pub fn object_as(class: Oid, id: Oid, lock: ObjectLock) {
    // SAFETY: as above.
    unsafe {
        pg_sys::LockAcquire(&tag(class, id), lock.mode(), false, false);
    }
}

/// Takes the lock of one object if it is free now.
pub fn try_object(class: Oid, object: Oid, lock: ObjectLock) -> bool {
    // SAFETY: as above, without waiting.
    let result = unsafe { pg_sys::LockAcquire(&tag(class, object), lock.mode(), false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
