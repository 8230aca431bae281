//! How work of the extension begins and ends transactions: in a worker, and in a procedure that may commit.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;

use super::catch::catch;
use super::snapshot::with_snapshot;
use super::state::has_xid;
use super::subtransaction::attempt_catching_all;
use crate::error::Caught;

/// Where the extension controls transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// A background worker: between two transactions none is open.
    Worker,
    /// A procedure called outside a transaction block: a transaction is always open.
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
    /// caught. Must be called without an active snapshot of the extension.
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
            Driver::Procedure => attempt_catching_all(work).and_then(|result| {
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

    /// Like [`Driver::transaction`], in REPEATABLE READ: `prepare` takes locks before the snapshot is taken,
    /// and can return the result; otherwise `work` runs under that one snapshot.
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
