//! Calls of aggregates in one level of a query.

use std::ffi::{c_void, CString};

use pgrx::pg_sys::Oid;
use pgrx::{pg_guard, pg_sys};

use super::expression::Leaf;
use super::handles::{Expr, Select};
use super::lists::{pointers, string};
use crate::postgres::canonical::CanonicalText;
use crate::postgres::recursion;

/// Functions of numeric whose results have a scale that follows from those of the arguments: +, -, *.
const FIXED: [u32; 3] = [
    pg_sys::F_NUMERIC_ADD,
    pg_sys::F_NUMERIC_SUB,
    pg_sys::F_NUMERIC_MUL,
];
/// Casts of integers to numeric.
const FROM_INTEGER: [u32; 3] = [
    pg_sys::F_NUMERIC_INT2,
    pg_sys::F_NUMERIC_INT4,
    pg_sys::F_NUMERIC_INT8,
];

/// A call of an aggregate without DISTINCT, ORDER BY and direct arguments.
pub struct AggregateCall {
    /// Name of the function in pg_catalog.
    pub name: String,
    /// None: `count(*)`.
    pub argument: Option<Expr>,
    pub filter: Option<Expr>,
}

impl Select {
    /// The expressions of GROUP BY.
    pub fn group_exprs(&self) -> Vec<Expr> {
        // SAFETY: the clause holds SortGroupClause nodes that refer into the target list.
        unsafe {
            pointers::<pg_sys::SortGroupClause>((*self.0).groupClause)
                .into_iter()
                .map(|item| Expr(pg_sys::get_sortgroupclause_expr(item, (*self.0).targetList)))
                .collect()
        }
    }

    /// Whether row security restricts a table in FROM.
    pub fn is_filtered_by_policy(&self, index: usize) -> bool {
        // SAFETY: the index comes from this query's own tree.
        unsafe { !(*self.entry(index)).securityQuals.is_null() }
    }

    /// The calls of aggregates of this level; None if a sub-select has one.
    pub fn aggregate_calls(&self) -> Option<Vec<Expr>> {
        let mut calls = Calls::default();
        // SAFETY: the walker reads nodes only; the context outlives the walk.
        unsafe {
            for node in [(*self.0).targetList.cast(), (*self.0).havingQual] {
                collect(node, (&raw mut calls).cast());
            }
        }
        (!calls.inside).then_some(calls.found)
    }
}

impl Expr {
    /// Whether the value depends on the columns only, and on no setting.
    pub fn is_immutable(&self) -> bool {
        // SAFETY: reads the tree and the catalogs.
        unsafe { !pg_sys::contain_mutable_functions(self.0) }
    }

    /// Whether every value of this numeric expression has the same number of digits after the point.
    pub fn has_fixed_scale(&self) -> bool {
        recursion::step();
        // SAFETY: tags are checked before the casts; arguments are nodes.
        unsafe {
            let of_all = |arguments| {
                pointers(arguments)
                    .into_iter()
                    .all(|node| Expr(node).has_fixed_scale())
            };
            match self.tag() {
                pg_sys::NodeTag::T_Var => (*self.0.cast::<pg_sys::Var>()).vartypmod >= 0,
                pg_sys::NodeTag::T_Const => !(*self.0.cast::<pg_sys::Const>()).constisnull,
                pg_sys::NodeTag::T_RelabelType => {
                    Expr((*self.0.cast::<pg_sys::RelabelType>()).arg.cast()).has_fixed_scale()
                }
                pg_sys::NodeTag::T_FuncExpr => {
                    FROM_INTEGER.contains(&(*self.0.cast::<pg_sys::FuncExpr>()).funcid.to_u32())
                }
                pg_sys::NodeTag::T_OpExpr => {
                    let call = self.0.cast::<pg_sys::OpExpr>();
                    let function = pg_sys::get_opcode((*call).opno);
                    FIXED.contains(&function.to_u32()) && of_all((*call).args)
                }
                _ => false,
            }
        }
    }

    /// SQL text in which the columns of these ranges are those of tables under the aliases `r1`, `r2` and so
    /// on. It depends on no setting. None: SQL does not show all of it.
    pub fn sql_over(&self, tables: &[(usize, Oid)]) -> Option<String> {
        if self.hides_operators() {
            return None;
        }
        let moved = self.substitute(|leaf, expr| match leaf {
            Leaf::Column(column) if column.levels_up == 0 => {
                let at = tables.iter().position(|(range, _)| *range == column.range)?;
                Some((0..at).fold(expr.moved_to(1, column.attno), |inside, _| {
                    inside.seen_from_inside()
                }))
            }
            _ => None,
        })?;
        let _same_everywhere = CanonicalText::new();
        // SAFETY: the names of tables are looked up as those of queries around: one table each.
        unsafe {
            let mut context = std::ptr::null_mut();
            for (at, (_, table)) in tables.iter().enumerate() {
                let alias = CString::new(format!("r{}", at + 1)).ok()?;
                context = pg_sys::list_concat(context, pg_sys::deparse_context_for(alias.as_ptr(), *table));
            }
            Some(string(pg_sys::deparse_expression(moved.0, context, true, true)))
        }
    }

    /// What this call of an aggregate asks for; None if it asks for anything unusual.
    pub fn as_aggregate_call(&self) -> Option<AggregateCall> {
        // SAFETY: the tag is checked before the cast; the rest reads nodes and caches.
        unsafe {
            if self.tag() != pg_sys::NodeTag::T_Aggref {
                return None;
            }
            let call = &*self.0.cast::<pg_sys::Aggref>();
            let unusual = !call.aggdirectargs.is_null()
                || !call.aggorder.is_null()
                || !call.aggdistinct.is_null()
                || call.aggvariadic
                || call.agglevelsup > 0
                || call.aggkind != b'n' as std::ffi::c_char
                || pg_sys::get_func_namespace(call.aggfnoid)
                    != pg_sys::Oid::from(pg_sys::PG_CATALOG_NAMESPACE);
            if unusual {
                return None;
            }
            let arguments: Vec<*mut pg_sys::TargetEntry> = pointers(call.args);
            let argument = match arguments[..] {
                [] if call.aggstar => None,
                [only] => Some(Expr((*only).expr.cast())),
                _ => return None,
            };
            Some(AggregateCall {
                name: string(pg_sys::get_func_name(call.aggfnoid)),
                argument,
                filter: (!call.aggfilter.is_null()).then(|| Expr(call.aggfilter.cast())),
            })
        }
    }
}

/// The calls of aggregates of one level.
#[derive(Default)]
struct Calls {
    found: Vec<Expr>,
    /// Whether a sub-select has some.
    inside: bool,
}

#[pg_guard]
unsafe extern "C-unwind" fn collect(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; the context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let calls = &mut *context.cast::<Calls>();
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            calls.inside |= pg_sys::contain_aggs_of_level(node, 1);
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_Aggref {
            calls.found.push(Expr(node));
            return false;
        }
        pg_sys::expression_tree_walker(node, Some(collect), context)
    }
}
