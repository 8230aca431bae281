//! Groups as a range table entry. In PostgreSQL 18, the output of a grouped query reads the columns of such
//! an entry in place of the expressions that are grouped by.

use pgrx::pg_sys;

/// Puts the expressions back.
///
/// # Safety
/// The query belongs to the caller, and is not planned if it has GROUPING SETS.
pub unsafe fn dissolve(query: *mut pg_sys::Query) {
    #[cfg(not(feature = "pg18"))]
    let _ = query;
    // SAFETY: as the caller promises. Without the planner's state, the expressions come without marks for
    // GROUPING SETS.
    #[cfg(feature = "pg18")]
    unsafe {
        if !(*query).hasGroupRTE {
            return;
        }
        let put_back = |node| pg_sys::flatten_group_exprs(std::ptr::null_mut(), query, node);
        let targets = put_back((*query).targetList.cast());
        let having = put_back((*query).havingQual);
        (*query).targetList = targets.cast();
        (*query).havingQual = having;
        (*query).hasGroupRTE = false;
        let last = (*(*query).rtable).length - 1;
        let entry = pg_sys::list_nth((*query).rtable, last).cast::<pg_sys::RangeTblEntry>();
        if (*entry).rtekind == pg_sys::RTEKind::RTE_GROUP {
            (*query).rtable = pg_sys::list_truncate((*query).rtable, last);
        }
    }
}
