//! Key queries, built as trees of PostgreSQL and deparsed by PostgreSQL: names, operators, casts and
//! collations are always written correctly.

use std::ffi::CString;

use pgrx::pg_sys;

use super::expression::{Column, Leaf};
use super::handles::{Expr, Select};
use super::lists::{list_of, make_node, pointers, string};

/// The parts of a key query. Conditions and outputs name occurrences in their columns' `range`.
pub struct KeyQueryParts<'a> {
    /// `SELECT FROM changed, table, table ...`: range table entries 1, 2, 3, ... in this order.
    pub skeleton: String,
    /// Types of the skeleton's parameters.
    pub parameters: &'a [pg_sys::Oid],
    /// Functions in FROM: the query and index they stand at, and the calls over occurrences.
    pub functions: Vec<(Select, usize, Vec<Expr>)>,
    pub conditions: Vec<Expr>,
    pub outputs: Vec<(Expr, String)>,
    /// Where a column of an occurrence is found: range table index (functions follow the skeleton's
    /// entries) and attribute number.
    pub place: &'a dyn Fn(usize, i16) -> Option<(usize, i16)>,
    /// Written for people, without needless parentheses.
    pub pretty: bool,
}

/// The SQL of a key query; None if a part reads a column that the query does not have.
pub fn key_query(parts: KeyQueryParts) -> Option<String> {
    let text = CString::new(parts.skeleton).ok()?;
    let place = |leaf: Leaf, expr: Expr| match leaf {
        Leaf::Column(Column { range, attno, .. }) => {
            let (range, attno) = (parts.place)(range, attno)?;
            Some(expr.moved_to(range, attno))
        }
        Leaf::SubSelectOutput(_) => None,
    };
    // SAFETY: the skeleton is our own text; everything put into its tree is a copy.
    unsafe {
        let statements: Vec<*mut pg_sys::RawStmt> = pointers(pg_sys::pg_parse_query(text.as_ptr()));
        let query = pg_sys::parse_analyze_fixedparams(
            *statements.first()?,
            text.as_ptr(),
            parts.parameters.as_ptr(),
            parts.parameters.len() as i32,
            std::ptr::null_mut(),
        );
        for (select, index, calls) in &parts.functions {
            let entry = pg_sys::copyObjectImpl(select.entry(*index).cast()).cast::<pg_sys::RangeTblEntry>();
            let functions: Vec<*mut pg_sys::RangeTblFunction> = pointers((*entry).functions);
            for (function, call) in functions.into_iter().zip(calls) {
                (*function).funcexpr = call.substitute(place)?.0;
            }
            (*entry).lateral = true;
            (*query).rtable = pg_sys::lappend((*query).rtable, entry.cast());
            let reference = make_node::<pg_sys::RangeTblRef>(pg_sys::NodeTag::T_RangeTblRef);
            (*reference).rtindex = (*(*query).rtable).length;
            (*(*query).jointree).fromlist = pg_sys::lappend((*(*query).jointree).fromlist, reference.cast());
        }
        let mut conditions = Vec::new();
        for condition in &parts.conditions {
            conditions.push(condition.substitute(place)?);
        }
        if !conditions.is_empty() {
            (*(*query).jointree).quals = Expr::all_of(&conditions).0;
        }
        let mut targets = Vec::new();
        for (position, (expr, name)) in parts.outputs.iter().enumerate() {
            let name = CString::new(name.as_str()).ok()?;
            targets.push(
                pg_sys::makeTargetEntry(
                    expr.substitute(place)?.0.cast(),
                    position as i16 + 1,
                    pg_sys::pstrdup(name.as_ptr()),
                    false,
                )
                .cast::<pg_sys::Node>(),
            );
        }
        (*query).targetList = list_of(targets);
        Some(string(pg_sys::pg_get_querydef(query, parts.pretty)))
    }
}
