//! What the conditions of row security policies read and call.

use std::ffi::{c_void, CString};

use pgrx::{pg_guard, pg_sys};

use super::calls::{self, Calls};
use super::handles::Select;

/// The condition of a policy.
pub struct PolicyCondition {
    /// The sub-selects in it that are in no other.
    pub queries: Vec<Select>,
    /// Everything it calls, in sub-selects, too.
    pub calls: Calls,
}

impl PolicyCondition {
    /// Reads `pg_policy.polqual`.
    pub fn read(tree: &str) -> Option<PolicyCondition> {
        let text = CString::new(tree).ok()?;
        let mut queries: Vec<Select> = Vec::new();
        // SAFETY: the text is a node tree that PostgreSQL has written; the walk changes nothing and the list
        // outlives it.
        unsafe {
            let node = pg_sys::stringToNode(text.as_ptr()).cast::<pg_sys::Node>();
            walker(node, (&raw mut queries).cast());
            Some(PolicyCondition {
                queries,
                calls: calls::in_expression(node),
            })
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_SubLink {
            let link = node.cast::<pg_sys::SubLink>();
            let queries = context.cast::<Vec<Select>>();
            (*queries).push(Select((*link).subselect.cast()));
            return walker((*link).testexpr, context);
        }
        pg_sys::expression_tree_walker(node, Some(walker), context)
    }
}
