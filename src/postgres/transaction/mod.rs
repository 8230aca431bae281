//! Transactions of our own: in a worker, and inside a procedure that may commit.

use std::panic::{AssertUnwindSafe, UnwindSafe};

use pgrx::{pg_sys, PgTryBuilder};

use crate::error::Caught;

/// How transactions begin and end here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// A background worker: nothing is open in between.
    Worker,
    /// A procedure called outside a transaction block: one is always open.
    Procedure,
}

impl Driver {
    pub fn begin(self) {
        if self == Driver::Worker {
            // SAFETY: called outside any transaction.
            unsafe {
                pg_sys::SetCurrentStatementStartTimestamp();
                pg_sys::StartTransactionCommand();
            }
        }
    }

    pub fn commit(self) {
        // SAFETY: the transaction is ours; in a procedure, SPI allows it (non-atomic connection).
        unsafe {
            match self {
                Driver::Worker => {
                    pg_sys::CommitTransactionCommand();
                    pg_sys::pgstat_report_stat(false);
                }
                Driver::Procedure => pg_sys::SPI_commit(),
            }
        }
    }

    fn abort(self) {
        // SAFETY: clears what the failed statement left and ends its transaction.
        unsafe {
            match self {
                Driver::Worker => pg_sys::AbortCurrentTransaction(),
                Driver::Procedure => pg_sys::SPI_rollback(),
            }
        }
    }

    /// Runs `work` in a transaction that commits if it returns and is rolled back on an ERROR, which is
    /// caught. Must be called with no snapshot of ours active.
    pub fn transaction<R>(self, work: impl FnOnce() -> R) -> Result<R, Caught> {
        // SAFETY: reads and restores the current memory context around the transaction.
        let context = unsafe { pg_sys::CurrentMemoryContext };
        let result = match self {
            Driver::Worker => catch(AssertUnwindSafe(|| {
                self.begin();
                let result = work();
                self.commit();
                result
            })),
            // An ERROR leaves SPI connections open that only the end of a subtransaction takes down; with one
            // of them on top, SPI could not roll back.
            Driver::Procedure => attempt_whatever(work).and_then(|result| {
                catch(AssertUnwindSafe(|| {
                    self.commit();
                    result
                }))
            }),
        };
        if result.is_err() {
            self.abort();
        }
        // SAFETY: the context is older than the transaction.
        unsafe { pg_sys::MemoryContextSwitchTo(context) };
        result
    }

    /// Like [`Driver::transaction`], in REPEATABLE READ: `prepare` runs before the snapshot is taken (for
    /// locks) and says whether to go on; then `work` runs under that one snapshot.
    pub fn repeatable_read<R>(
        self,
        prepare: impl FnOnce() -> Option<R>,
        work: impl FnOnce() -> R,
    ) -> Result<R, Caught> {
        self.transaction(|| {
            // SAFETY: set before the first snapshot of the transaction, as SET TRANSACTION does.
            unsafe { pg_sys::XactIsoLevel = pg_sys::XACT_REPEATABLE_READ as i32 };
            if let Some(instead) = prepare() {
                return instead;
            }
            assert!(
                !has_xid(),
                "a position must be taken before the transaction has an id"
            );
            with_snapshot(work)
        })
    }
}

/// Runs `work` and hands its ERROR back; the caller raises another, or ends the (sub)transaction.
pub fn catch<R>(work: impl FnOnce() -> R + UnwindSafe) -> Result<R, Caught> {
    let mut reported = 0;
    let result = with_reported_code(&mut reported, || {
        PgTryBuilder::new(|| Ok(work()))
            .catch_others(|error| Err(Box::new(error)))
            .catch_rust_panic(|error| Err(Box::new(error)))
            .execute()
    });
    result.map_err(|error| Caught::from(*error, reported))
}

/// Runs `work`; whatever PostgreSQL reports meanwhile leaves its code in `reported`.
fn with_reported_code<R>(reported: &mut i32, work: impl FnOnce() -> R) -> R {
    // SAFETY: the callback is taken off the stack before it and what it points to go; an ERROR in `work` is caught inside.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(note_code),
            arg: (reported as *mut i32).cast(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        let result = work();
        pg_sys::error_context_stack = callback.previous;
        result
    }
}

unsafe extern "C-unwind" fn note_code(reported: *mut std::ffi::c_void) {
    // SAFETY: called while a message is reported, with the argument given above.
    unsafe { *reported.cast::<i32>() = pg_sys::geterrcode() }
}

/// Whether a transaction has ended in every respect: a commit is visible a moment before the definitions it changed are
/// announced, and those before its locks go. What was announced until now is known afterwards.
pub fn is_over(xid: u64) -> bool {
    // SAFETY: an ordinary lock request without waiting, given back at once; then messages are read as for any lock.
    unsafe {
        let over = pg_sys::ConditionalXactLockTableWait(pg_sys::TransactionId::from(xid as u32));
        pg_sys::AcceptInvalidationMessages();
        over
    }
}

/// Runs `work` under the transaction's snapshot.
pub fn with_snapshot<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: pushed and popped in balance; an ERROR in between aborts the transaction, which pops it.
    unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// Runs `work` under a snapshot of this moment, whatever the isolation level; what the statement did that a
/// trigger is called for is in it.
pub fn with_latest_snapshot<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: as above.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

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

/// Whether what follows in this session is in the same transaction: a block, or several statements sent as one.
pub fn in_block() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsTransactionBlock() }
}

/// Raises what PostgreSQL raises for its own commands where nothing can be written: on a standby, and in a read-only transaction.
pub fn refuse_read_only(command: &str) {
    let Ok(command) = std::ffi::CString::new(command) else {
        return;
    };
    // SAFETY: NUL-terminated; an ERROR unwinds.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
    }
}

/// Whether the server is replaying WAL.
pub fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Runs `work` in a subtransaction that is rolled back on an ERROR, which is caught: unless it is a cancel or lack of
/// memory, which end the caller as well.
pub fn attempt<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    unless_ended(subtransaction(false, work))
}

/// The same, rolled back in any case: of what was only looked at, no lock is left.
pub fn look<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    unless_ended(subtransaction(true, work))
}

/// Like [`attempt`], and every ERROR is caught. The caller must not go on after [`Caught::is_cancel`] as if nothing were.
pub fn attempt_whatever<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    subtransaction(false, work)
}

fn unless_ended<R>(result: Result<R, Caught>) -> Result<R, Caught> {
    match result {
        Err(caught) if caught.ends_the_command() => caught.raise(),
        result => result,
    }
}

fn subtransaction<R>(undo: bool, work: impl FnOnce() -> R) -> Result<R, Caught> {
    // SAFETY: the usual frame of an internal subtransaction: context and resource owner are restored.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = catch(AssertUnwindSafe(work));
        if result.is_ok() && !undo {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}

/// Runs `work` with an SPI connection that may commit; false when the caller is inside a transaction block.
pub fn in_procedure(fcinfo_nonatomic: bool, work: impl FnOnce()) -> bool {
    if !fcinfo_nonatomic {
        return false;
    }
    // SAFETY: connect and finish are balanced; SPI_commit and SPI_rollback keep this connection.
    unsafe {
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        work();
        pg_sys::SPI_finish();
    }
    true
}

/// Whether a procedure was called where it may commit.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn may_commit(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: PostgreSQL passes a CallContext to procedures, with the tag checked here.
    unsafe {
        let context = (*fcinfo).context;
        !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context.cast::<pg_sys::CallContext>()).atomic
    }
}
pub mod lock;
pub mod query_snapshot;
pub mod worker_transaction;
