//! Changed copies of expressions. PostgreSQL 15 declares the callback without its arguments.

use std::ffi::c_void;

use pgrx::pg_sys::{self, Node};

/// Makes the copy of one node; [`children`] copies what is below.
pub type Mutator = unsafe extern "C-unwind" fn(*mut Node, *mut c_void) -> *mut Node;

/// A copy of a node whose children are what the mutator makes of them.
///
/// # Safety
/// The node is part of a valid tree, and the context is what the mutator expects.
pub unsafe fn children(node: *mut Node, mutator: Mutator, context: *mut c_void) -> *mut Node {
    // SAFETY: as the caller promises; PostgreSQL 15, too, calls the mutator with these two arguments.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::expression_tree_mutator(
            node,
            Some(std::mem::transmute::<
                Mutator,
                unsafe extern "C-unwind" fn() -> *mut Node,
            >(mutator)),
            context,
        );
        #[cfg(not(feature = "pg15"))]
        return pg_sys::expression_tree_mutator_impl(node, Some(mutator), context);
    }
}
