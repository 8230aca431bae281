//! The outer joins that a column is NULL without a partner in. From PostgreSQL 16 on, every column names
//! them.

use pgrx::pg_sys;

/// Makes a column name no outer joins: it is read below all of them, or no planner reads it.
///
/// # Safety
/// The column belongs to the caller.
pub unsafe fn forget(column: *mut pg_sys::Var) {
    #[cfg(feature = "pg15")]
    let _ = column;
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*column).varnullingrels = std::ptr::null_mut();
    }
}

/// The outer joins of a query that a table is NULL without a partner in; none where columns do not name them.
///
/// # Safety
/// The query is valid.
pub unsafe fn nulling(query: *mut pg_sys::Query, index: i32) -> *mut pg_sys::Bitmapset {
    #[cfg(feature = "pg15")]
    {
        let _ = (query, index);
        std::ptr::null_mut()
    }
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        let mut nulling = std::ptr::null_mut();
        find((*query).jointree.cast(), index, &mut nulling);
        nulling
    }
}

/// Whether the table is below this part of a join tree. Adds the outer joins that the table is NULL without.
#[cfg(not(feature = "pg15"))]
unsafe fn find(node: *mut pg_sys::Node, index: i32, nulling: &mut *mut pg_sys::Bitmapset) -> bool {
    // SAFETY: a join tree holds RangeTblRef, JoinExpr and FromExpr only.
    unsafe {
        crate::postgres::recursion::step();
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblRef => (*node.cast::<pg_sys::RangeTblRef>()).rtindex == index,
            pg_sys::NodeTag::T_JoinExpr => {
                let join = node.cast::<pg_sys::JoinExpr>();
                let (left, right) = (
                    find((*join).larg, index, nulling),
                    find((*join).rarg, index, nulling),
                );
                use pg_sys::JoinType::{JOIN_FULL, JOIN_LEFT, JOIN_RIGHT};
                let kind = (*join).jointype;
                if right && (kind == JOIN_LEFT || kind == JOIN_FULL)
                    || left && (kind == JOIN_RIGHT || kind == JOIN_FULL)
                {
                    *nulling = pg_sys::bms_add_member(*nulling, (*join).rtindex);
                }
                left || right
            }
            _ => {
                let list = (*node.cast::<pg_sys::FromExpr>()).fromlist;
                let items = crate::postgres::query_tree::lists::pointers::<pg_sys::Node>(list);
                items.into_iter().any(|item| find(item, index, nulling))
            }
        }
    }
}

/// Makes a column name the outer joins that another one names.
///
/// # Safety
/// The first column belongs to the caller; the second one is valid.
pub unsafe fn null_like(column: *mut pg_sys::Var, other: *mut pg_sys::Var) {
    #[cfg(feature = "pg15")]
    let _ = (column, other);
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*column).varnullingrels = pg_sys::bms_copy((*other).varnullingrels);
    }
}

/// Makes a column name these outer joins.
///
/// # Safety
/// The column belongs to the caller.
pub unsafe fn null_by(column: *mut pg_sys::Var, joins: *mut pg_sys::Bitmapset) {
    #[cfg(feature = "pg15")]
    let _ = (column, joins);
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*column).varnullingrels = pg_sys::bms_copy(joins);
    }
}
