//! Columns of joins, replaced by the columns of the tables joined. From PostgreSQL 16 on the function takes
//! the planner's state, too, for expressions that only the planner makes.

use pgrx::pg_sys;

/// The expression, changed in place where possible, reading tables where it read a join by its alias.
///
/// # Safety
/// The expression belongs to the query, which no planner has changed.
pub unsafe fn flatten(query: *mut pg_sys::Query, expression: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: as the caller promises. PostgreSQL's parser passes no planner's state, either.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::flatten_join_alias_vars(query, expression);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::flatten_join_alias_vars(std::ptr::null_mut(), query, expression);
    }
}
