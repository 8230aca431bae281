//! Entries of a new row in the indexes of its table. From PostgreSQL 16 on, the function can leave out all
//! indexes but those that summarize ranges of pages.

use pgrx::pg_sys::{EState, List, ResultRelInfo, TupleTableSlot};

/// Declared here because pgrx's declaration converts errors, which would take a twentieth of the time of a
/// row.
mod raw {
    use super::{EState, List, ResultRelInfo, TupleTableSlot};

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn ExecInsertIndexTuples(
            result: *mut ResultRelInfo,
            slot: *mut TupleTableSlot,
            executor: *mut EState,
            update: bool,
            no_duplicates_error: bool,
            conflict: *mut bool,
            arbiters: *mut List,
            #[cfg(not(feature = "pg15"))] only_summarizing: bool,
        ) -> *mut List;
    }
}

/// Makes the entries of a row in all indexes.
///
/// # Safety
/// The indexes of the table are open, the row stands in the table, and errors are caught as one around
/// this.
pub unsafe fn insert(result: *mut ResultRelInfo, slot: *mut TupleTableSlot, executor: *mut EState) {
    // SAFETY: as the caller promises.
    unsafe {
        raw::ExecInsertIndexTuples(
            result,
            slot,
            executor,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            #[cfg(not(feature = "pg15"))]
            false,
        );
    }
}
