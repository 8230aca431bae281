//! Expressions whose value is one of several expressions: COALESCE, CASE, GREATEST, LEAST.

use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::handles::Expr;
use super::lists::pointers;
use crate::postgres::versions::tree_mutator;

impl Expr {
    /// All expressions that result when each COALESCE, CASE, GREATEST and LEAST is replaced by one of its
    /// values. None if these are more than `most`.
    pub fn alternatives(&self, most: usize) -> Option<Vec<Expr>> {
        let mut found = Vec::new();
        let mut open = vec![*self];
        while let Some(expr) = open.pop() {
            match expr.first_choice() {
                Some((choice, values)) => {
                    let replaced = values.iter().rev().map(|value| expr.with_part(choice, *value));
                    open.extend(replaced);
                }
                None => found.push(expr),
            }
            if found.len() + open.len() > most {
                return None;
            }
        }
        Some(found)
    }

    /// The outermost part whose value is one of several expressions, with these expressions.
    fn first_choice(&self) -> Option<(Expr, Vec<Expr>)> {
        let mut choice: Option<*mut pg_sys::Node> = None;
        // SAFETY: the walker reads nodes only; the context outlives the walk.
        unsafe {
            choice_walker(self.0, (&mut choice as *mut Option<*mut pg_sys::Node>).cast());
            choice.map(|node| (Expr(node), choice_values(node)))
        }
    }

    /// A copy with `part`, a node inside, replaced.
    fn with_part(&self, part: Expr, by: Expr) -> Expr {
        let mut context = (part.0, by.0);
        // SAFETY: the mutator copies what it does not replace; the context outlives the call.
        unsafe {
            Expr(part_mutator(
                self.0,
                (&mut context as *mut (*mut pg_sys::Node, *mut pg_sys::Node)).cast(),
            ))
        }
    }
}

unsafe fn choice_values(node: *mut pg_sys::Node) -> Vec<Expr> {
    // SAFETY: callers pass a valid node, which is read with the layout its tag says.
    unsafe {
        let values: Vec<*mut pg_sys::Node> = match (*node).type_ {
            pg_sys::NodeTag::T_CoalesceExpr => pointers((*node.cast::<pg_sys::CoalesceExpr>()).args),
            pg_sys::NodeTag::T_MinMaxExpr => pointers((*node.cast::<pg_sys::MinMaxExpr>()).args),
            pg_sys::NodeTag::T_CaseExpr => {
                let case = node.cast::<pg_sys::CaseExpr>();
                let mut results: Vec<*mut pg_sys::Node> = pointers::<pg_sys::CaseWhen>((*case).args)
                    .into_iter()
                    .map(|when| (*when).result.cast())
                    .collect();
                if !(*case).defresult.is_null() {
                    results.push((*case).defresult.cast());
                }
                results
            }
            _ => Vec::new(),
        };
        values.into_iter().map(Expr).collect()
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn choice_walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        if !choice_values(node).is_empty() {
            *context.cast::<Option<*mut pg_sys::Node>>() = Some(node);
            return true;
        }
        pg_sys::expression_tree_walker(node, Some(choice_walker), context)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn part_mutator(node: *mut pg_sys::Node, context: *mut c_void) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL passes a node of a valid tree, and the context that the copy was started with.
    unsafe {
        let (part, by) = *context.cast::<(*mut pg_sys::Node, *mut pg_sys::Node)>();
        if node == part {
            return by;
        }
        tree_mutator::children(node, part_mutator, context)
    }
}
