//! Operators that the SQL of an expression does not name: those of IS DISTINCT FROM, NULLIF, CASE with a value,
//! and comparisons of rows.

use std::ffi::c_void;

use pgrx::pg_sys::Oid;
use pgrx::{pg_guard, pg_sys};

use super::handles::Expr;
use super::lists::pointers;

impl Expr {
    /// Whether its SQL does not name an operator that is not built in. Under another search_path, the same SQL may
    /// mean another operator.
    pub fn hides_operators(&self) -> bool {
        // SAFETY: the walker reads nodes only.
        unsafe { hides(self.0, std::ptr::null_mut()) }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn hides(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    let is_foreign = |operator: Oid| operator.to_u32() >= pg_sys::FirstNormalObjectId;
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says.
    unsafe {
        if node.is_null() {
            return false;
        }
        let hidden = match (*node).type_ {
            // IS DISTINCT FROM and NULLIF are made like operators.
            pg_sys::NodeTag::T_DistinctExpr | pg_sys::NodeTag::T_NullIfExpr => {
                is_foreign((*node.cast::<pg_sys::OpExpr>()).opno)
            }
            pg_sys::NodeTag::T_RowCompareExpr => {
                let operators = (*node.cast::<pg_sys::RowCompareExpr>()).opnos;
                (0..(*operators).length).any(|n| is_foreign(pg_sys::list_nth_oid(operators, n)))
            }
            // CASE value WHEN other
            pg_sys::NodeTag::T_CaseExpr if !(*node.cast::<pg_sys::CaseExpr>()).arg.is_null() => {
                let compares = pointers::<pg_sys::CaseWhen>((*node.cast::<pg_sys::CaseExpr>()).args);
                compares.into_iter().any(|when| {
                    let compared = (*when).expr;
                    (*compared).type_ != pg_sys::NodeTag::T_OpExpr
                        || is_foreign((*compared.cast::<pg_sys::OpExpr>()).opno)
                })
            }
            _ => false,
        };
        hidden || pg_sys::expression_tree_walker(node, Some(hides), context)
    }
}
