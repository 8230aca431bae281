//! Work in a subtransaction, whose ERRORs are caught.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;

use super::catch::catch;
use crate::error::Caught;

/// Runs `work` in a subtransaction that is rolled back on an ERROR, which is caught: A cancel, and running
/// out of memory, are raised again: they end the caller as well.
pub fn attempt<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    unless_ended(subtransaction(false, work))
}

/// Like [`attempt`], and rolled back in any case: no lock is left on what was only read.
pub fn probe<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
    unless_ended(subtransaction(true, work))
}

/// Like [`attempt`], and every ERROR is caught. The caller must itself end after [`Caught::is_cancel`].
pub fn attempt_catching_all<R>(work: impl FnOnce() -> R) -> Result<R, Caught> {
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
