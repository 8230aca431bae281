//! Whether the result of a query depends on the order in which PostgreSQL reads rows: two plans of the query, or
//! rows that were moved, then give different values, and all of them are right.

use std::ffi::{c_void, CStr};

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Aggref, NodeTag, Oid, Query, WindowClause, WindowFunc};

use super::lists::pointers;
use super::Select;

/// Aggregates of PostgreSQL with the same result in any order; those with a floating-point result excepted.
const ANY_ORDER: &[&str] = &[
    "count",
    "sum",
    "avg",
    "bool_and",
    "bool_or",
    "every",
    "bit_and",
    "bit_or",
    "bit_xor",
    "range_agg",
    "range_intersect_agg",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "variance",
    "var_pop",
    "var_samp",
];
/// Also with a floating-point result, and as window functions.
const ALWAYS: &[&str] = &[
    "min",
    "max",
    "count",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "regr_count",
];

impl Select {
    /// Whether values depend on the order of rows, as far as the query shows; views that it reads excepted.
    pub fn depends_on_row_order(&self) -> bool {
        let mut search = Search {
            level: std::ptr::null_mut(),
            found: false,
        };
        // SAFETY: the walker changes nothing in the tree; the context outlives the walk.
        unsafe {
            walker(self.node(), (&raw mut search).cast());
        }
        search.found
    }
}

struct Search {
    /// The query whose expressions are walked.
    level: *mut Query,
    found: bool,
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the context is
    // the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let search = &mut *context.cast::<Search>();
        match (*node).type_ {
            NodeTag::T_Query => {
                let query = node.cast::<Query>();
                search.found |= picks_any_rows(query);
                let above = std::mem::replace(&mut search.level, query);
                pg_sys::query_tree_walker(query, Some(walker), context, 0);
                (*context.cast::<Search>()).level = above;
                return false;
            }
            NodeTag::T_Aggref => {
                let call = &*node.cast::<Aggref>();
                let sorts = !call.aggorder.is_null() || !call.aggdistinct.is_null();
                let is_sorted = sorts || (call.agglevelsup == 0 && reads_sorted_rows(search.level));
                search.found |= !is_sorted && !is_of_any_order(call.aggfnoid, call.aggtype);
            }
            NodeTag::T_WindowFunc => {
                let call = &*node.cast::<WindowFunc>();
                let is_sorted = is_sorted(search.level, call.winref);
                search.found |= !is_sorted && !is_of_any_order(call.winfnoid, call.wintype);
            }
            _ => {}
        }
        pg_sys::expression_tree_walker(node, Some(walker), context)
    }
}

/// LIMIT without ORDER BY; DISTINCT ON without an ORDER BY that says which row.
unsafe fn picks_any_rows(query: *mut Query) -> bool {
    // SAFETY: a query of a valid tree.
    unsafe {
        let length = |list: *mut pg_sys::List| list.as_ref().map_or(0, |list| list.length);
        let limits = !(*query).limitCount.is_null() || !(*query).limitOffset.is_null();
        let sorted = length((*query).sortClause);
        (limits && sorted == 0) || ((*query).hasDistinctOn && sorted <= length((*query).distinctClause))
    }
}

/// Whether a query reads only a sub-select with ORDER BY: its rows come in that order.
unsafe fn reads_sorted_rows(query: *mut Query) -> bool {
    // SAFETY: a query of a valid tree, whose references are positions in its range table.
    unsafe {
        if query.is_null() || (*query).jointree.is_null() || !(*query).groupClause.is_null() {
            return false;
        }
        let [from] = pointers::<pg_sys::Node>((*(*query).jointree).fromlist)[..] else {
            return false;
        };
        if (*from).type_ != NodeTag::T_RangeTblRef {
            return false;
        }
        let place = (*from.cast::<pg_sys::RangeTblRef>()).rtindex - 1;
        let range = pointers::<pg_sys::RangeTblEntry>((*query).rtable)[place as usize];
        !(*range).subquery.is_null() && !(*(*range).subquery).sortClause.is_null()
    }
}

/// Whether the window of a call has an ORDER BY.
unsafe fn is_sorted(query: *mut Query, window: pg_sys::Index) -> bool {
    // SAFETY: a query of a valid tree.
    unsafe {
        let windows = query
            .as_ref()
            .map(|query| pointers::<WindowClause>(query.windowClause));
        let mut windows = windows.into_iter().flatten();
        windows.any(|clause| (*clause).winref == window && !(*clause).orderClause.is_null())
    }
}

unsafe fn is_of_any_order(function: Oid, result: Oid) -> bool {
    if function.to_u32() >= pg_sys::FirstNormalObjectId {
        return false;
    }
    // SAFETY: a name as PostgreSQL keeps it, or NULL.
    let name = unsafe {
        let name = pg_sys::get_func_name(function);
        if name.is_null() {
            return false;
        }
        CStr::from_ptr(name).to_string_lossy()
    };
    let name = name.as_ref();
    let is_float = [pg_sys::FLOAT4OID, pg_sys::FLOAT8OID].contains(&result);
    ALWAYS.contains(&name) || (!is_float && ANY_ORDER.contains(&name))
}
