//! Facts about transactions: ids, isolation, what the current one may do.

use std::ffi::CString;

use pgrx::pg_sys;

use crate::postgres::versions::xact_lock;

/// Whether the transaction has been given an id.
pub fn has_xid() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

/// The full id of the top-level transaction, assigned now if need be.
pub fn own_xid() -> u64 {
    // PostgreSQL's own, as pgrx's declaration would convert errors: this raises none, and writers have an id.
    extern "C-unwind" {
        fn GetTopFullTransactionIdIfAny() -> pg_sys::FullTransactionId;
    }
    // SAFETY: inside a transaction that may write.
    unsafe {
        match GetTopFullTransactionIdIfAny().value {
            0 => pg_sys::GetTopFullTransactionId().value,
            assigned => assigned,
        }
    }
}

/// The full id that the next transaction will be given.
pub fn next_xid() -> u64 {
    // SAFETY: reads shared state under its lock.
    unsafe { pg_sys::ReadNextFullTransactionId().value }
}

/// Whether this is the running transaction.
pub fn is_own(xid: u64) -> bool {
    has_xid() && own_xid() == xid
}

/// Whether this is the id of the running transaction, or of one of its subtransactions that were not rolled back.
pub fn is_current(xid: u32) -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(pg_sys::TransactionId::from(xid)) }
}

/// Whether the isolation level is SERIALIZABLE.
pub fn is_serializable() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether a transaction has ended completely. A commit first becomes visible, then announces the definitions
/// it changed, then releases its locks. This process has read all announcements when the function returns.
pub fn is_over(xid: u64) -> bool {
    // SAFETY: messages are read as for any lock.
    unsafe {
        let over = xact_lock::is_released(xid as u32);
        pg_sys::AcceptInvalidationMessages();
        over
    }
}

/// Whether each statement of this transaction sees what is committed when it starts.
pub fn is_read_committed() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

/// Whether the next statements of the session are in the same transaction: in a block, or sent together.
pub fn in_block() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsTransactionBlock() }
}

/// Whether a parallel plan is running, here or in the process that this one helps.
pub fn in_parallel_mode() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::IsInParallelMode() }
}

/// Whether the server is replaying WAL.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Raises the ERRORs of PostgreSQL for commands that write, on a standby and in a read-only transaction.
pub fn refuse_read_only(command: &str) {
    let Ok(command) = CString::new(command) else {
        return;
    };
    // SAFETY: NUL-terminated; an ERROR unwinds.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
    }
}

/// Writes to disk what every transaction has committed so far: a crash cannot take it back any more.
///
/// The position of the next record lies behind the header of a page if the page has no record yet. WAL is written
/// up to the end of the last record.
pub fn make_commits_durable() {
    const HEADER: u64 = 24;
    const HEADER_OF_FILE: u64 = 40;
    // SAFETY: reads shared state, and waits for the disk; not during recovery.
    unsafe {
        let next = pg_sys::GetXLogInsertRecPtr();
        let in_file = next % pg_sys::wal_segment_size as u64;
        let header = match in_file % u64::from(pg_sys::XLOG_BLCKSZ) {
            HEADER_OF_FILE if in_file == HEADER_OF_FILE => HEADER_OF_FILE,
            HEADER if in_file != HEADER => HEADER,
            _ => 0,
        };
        pg_sys::XLogFlush(next - header);
    }
}

/// The commit of the current transaction waits for the disk, whatever `synchronous_commit` says.
pub fn commit_durably() {
    // SAFETY: sets a variable of the backend, which the end of the transaction resets.
    unsafe { pg_sys::ForceSyncCommit() }
}

/// The number of the current command, which sees the changes of earlier commands.
pub fn command() -> u32 {
    // SAFETY: reads backend-local state.
    unsafe { pg_sys::GetCurrentCommandId(false) }
}

/// Ends the current command, if it has written anything.
pub fn next_command() {
    // SAFETY: allowed anywhere in a transaction but in parallel mode, where previews are not made.
    unsafe { pg_sys::CommandCounterIncrement() }
}

/// Whether nothing can be written.
pub fn is_read_only() -> bool {
    // SAFETY: reads backend-local variables.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}

/// Refuses commands that write, to the end of the current subtransaction, which restores what was before. Inside a
/// subtransaction of the caller. PostgreSQL 16 and newer let functions not set `transaction_read_only`.
pub fn refuse_writes_in_subtransaction() {
    // SAFETY: a flag of this process, read by commands before they write. PostgreSQL keeps it per subtransaction.
    unsafe { pg_sys::XactReadOnly = true }
}
