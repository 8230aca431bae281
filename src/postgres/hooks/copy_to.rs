//! `COPY tv_post TO`: reads the table without a query, and previews are made and bounds are kept for queries
//! only. In a transaction with changes, or with a bound, the command copies a query instead.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Oid};

use super::executor;
use crate::postgres::transaction;
use crate::postgres::triggers::ddl_event;

/// Whether a statement may be such a COPY.
///
/// # Safety
/// `node` is a valid utility statement.
pub unsafe fn may_read_table(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node is read with the layout its tag says.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_CopyStmt || !executor::may_call_before() {
            return false;
        }
        let statement = node.cast::<pg_sys::CopyStmt>();
        !(*statement).is_from && !(*statement).relation.is_null()
    }
}

/// A copy of the statement with a query in place of the tv table; None if the statement copies another table,
/// or no query can replace it.
///
/// # Safety
/// `pstmt` is a valid COPY of a table, inside a transaction.
pub unsafe fn with_query(
    pstmt: *mut pg_sys::PlannedStmt,
    query: fn(Oid, &[String]) -> Option<String>,
) -> Option<*mut pg_sys::PlannedStmt> {
    // SAFETY: the nodes have the layout their tags say; the new statement is built from the parser's own
    // output.
    unsafe {
        let statement = (*pstmt).utilityStmt.cast::<pg_sys::CopyStmt>();
        let table = transaction::attempt(|| ddl_event::found((*statement).relation));
        let table = table.ok().flatten()?;
        let names = pgrx::PgList::<pg_sys::Node>::from_pg((*statement).attlist);
        let name = |name: *mut pg_sys::Node| {
            let text = CStr::from_ptr((*name.cast::<pg_sys::String>()).sval);
            text.to_string_lossy().into_owned()
        };
        let names: Vec<String> = names.iter_ptr().map(name).collect();
        let sql = CString::new(query(table, &names)?).ok()?;
        let raw = pg_sys::list_nth(pg_sys::pg_parse_query(sql.as_ptr()), 0).cast::<pg_sys::RawStmt>();
        let copy = pg_sys::copyObjectImpl(pstmt.cast()).cast::<pg_sys::PlannedStmt>();
        let statement = (*copy).utilityStmt.cast::<pg_sys::CopyStmt>();
        (*statement).relation = std::ptr::null_mut();
        (*statement).attlist = std::ptr::null_mut();
        (*statement).query = (*raw).stmt;
        Some(copy)
    }
}
