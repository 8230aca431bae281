//! The outer joins that a column is NULL without a partner in. From PostgreSQL 16 on, every column names
//! them.

use pgrx::pg_sys;

/// Makes a column name no outer joins: it is read below all of them, or no planner reads it.
///
/// # Safety
/// The column belongs to the caller.
pub unsafe fn forget(column: *mut pg_sys::Var) {
    #[cfg(feature = "pg15")]
    let _ = column;
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*column).varnullingrels = std::ptr::null_mut();
    }
}
