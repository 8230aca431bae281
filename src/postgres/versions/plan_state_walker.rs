//! Walks over the nodes of a plan that is executed. pgrx does not declare the function of PostgreSQL 15.

use std::ffi::c_void;

use pgrx::pg_sys::{self, PlanState};

/// What is called for each child; true ends the walk.
pub type Walker = unsafe extern "C-unwind" fn(*mut PlanState, *mut c_void) -> bool;

/// Calls the walker for each child of a node, with sub-selects.
///
/// # Safety
/// The node is part of a plan that is executed, and the context is what the walker expects.
pub unsafe fn children(node: *mut PlanState, walker: Walker, context: *mut c_void) {
    // SAFETY: as the caller promises; PostgreSQL 15 calls the walker with these two arguments.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            #[allow(improper_ctypes)]
            extern "C-unwind" {
                fn planstate_tree_walker(node: *mut PlanState, walker: Walker, context: *mut c_void) -> bool;
            }
            pg_sys::ffi::pg_guard_ffi_boundary(|| planstate_tree_walker(node, walker, context));
        }
        #[cfg(not(feature = "pg15"))]
        pg_sys::planstate_tree_walker_impl(node, Some(walker), context);
    }
}
