//! Facts about transactions: ids, isolation, what the current one may do.

use std::ffi::CString;

use pgrx::pg_sys;

/// Whether the transaction has been given an id.
pub fn has_xid() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

/// The full id of the top-level transaction, assigned now if need be.
pub fn own_xid() -> u64 {
    // SAFETY: inside a transaction that may write.
    unsafe { pg_sys::GetTopFullTransactionId().value }
}

/// Whether a transaction has ended in every respect: a commit is visible a moment before the definitions it
/// changed are announced, and those before its locks go. What was announced until now is known afterwards.
pub fn is_over(xid: u64) -> bool {
    // SAFETY: an ordinary lock request without waiting, given back at once; then messages are read as for any
    // lock.
    unsafe {
        let over = pg_sys::ConditionalXactLockTableWait(pg_sys::TransactionId::from(xid as u32));
        pg_sys::AcceptInvalidationMessages();
        over
    }
}

/// Whether statements of this transaction each see what is committed when they start.
pub fn is_read_committed() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

/// Whether PostgreSQL notes what the transaction reads, for conflicts with what others write.
pub fn is_serializable() -> bool {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether what follows in this session is in the same transaction: a block, or several statements sent as
/// one.
pub fn in_block() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsTransactionBlock() }
}

/// Whether the server is replaying WAL.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Raises what PostgreSQL raises for its own commands where nothing can be written: on a standby, and in a
/// read-only transaction.
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
