//! The tree of FROM and WHERE: its items, and the conditions of its joins.

use pgrx::pg_sys;

use super::handles::Expr;
use super::lists::{list_of, pointers};
use crate::postgres::recursion;

/// The items of FROM, in their order.
///
/// # Safety
/// The node belongs to the join tree of a valid query.
pub unsafe fn list_items(node: *mut pg_sys::Node, into: &mut Vec<*mut pg_sys::RangeTblRef>) {
    // SAFETY: a join tree holds RangeTblRef, JoinExpr and FromExpr only.
    unsafe {
        recursion::step();
        match (*node).type_ {
            pg_sys::NodeTag::T_FromExpr => {
                for item in pointers::<pg_sys::Node>((*node.cast::<pg_sys::FromExpr>()).fromlist) {
                    list_items(item, into);
                }
            }
            pg_sys::NodeTag::T_JoinExpr => {
                list_items((*node.cast::<pg_sys::JoinExpr>()).larg, into);
                list_items((*node.cast::<pg_sys::JoinExpr>()).rarg, into);
            }
            _ => into.push(node.cast()),
        }
    }
}

/// Changes the conditions of WHERE and ON.
///
/// # Safety
/// The node belongs to the join tree of a valid query, which is the caller's.
pub unsafe fn change_conditions(
    node: *mut pg_sys::Node,
    change: &dyn Fn(*mut pg_sys::Node) -> *mut pg_sys::Node,
) {
    // SAFETY: a join tree holds RangeTblRef, JoinExpr and FromExpr only.
    unsafe {
        recursion::step();
        match (*node).type_ {
            pg_sys::NodeTag::T_FromExpr => {
                let from = node.cast::<pg_sys::FromExpr>();
                for item in pointers::<pg_sys::Node>((*from).fromlist) {
                    change_conditions(item, change);
                }
                (*from).quals = change((*from).quals);
            }
            pg_sys::NodeTag::T_JoinExpr => {
                let join = node.cast::<pg_sys::JoinExpr>();
                change_conditions((*join).larg, change);
                change_conditions((*join).rarg, change);
                (*join).quals = change((*join).quals);
            }
            _ => {}
        }
    }
}

/// The parts of a condition.
pub fn parts_of(condition: *mut pg_sys::Node) -> Vec<Expr> {
    if condition.is_null() {
        Vec::new()
    } else {
        Expr(condition).conjuncts()
    }
}

/// The condition that all of these are true.
///
/// # Safety
/// The nodes are conditions of one query.
pub unsafe fn all_of(conditions: Vec<*mut pg_sys::Node>) -> *mut pg_sys::Node {
    // SAFETY: callers pass conditions of a copy.
    unsafe {
        match conditions[..] {
            [] => std::ptr::null_mut(),
            [only] => only,
            _ => pg_sys::make_andclause(list_of(conditions)).cast(),
        }
    }
}
