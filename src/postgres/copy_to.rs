//! `COPY tv_post TO`: reads the table without a query that previews could be made for. In a transaction with changes it is
//! given one.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Oid};

use super::identity::at_own_work;
use super::{relation, transaction};
use crate::capture;
use crate::catalog::{columns, known};

/// Whether a statement may be one.
///
/// # Safety
/// `node` is a valid utility statement.
pub unsafe fn may_read_table(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node is read with the layout its tag says.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_CopyStmt || !capture::has_changes() {
            return false;
        }
        let statement = node.cast::<pg_sys::CopyStmt>();
        !(*statement).is_from && !(*statement).relation.is_null()
    }
}

/// The statement with a query instead of a tv table, as a copy; None if it copies another table, or cannot be helped.
///
/// # Safety
/// `pstmt` is a valid COPY of a table, inside a transaction.
pub unsafe fn with_query(pstmt: *mut pg_sys::PlannedStmt) -> Option<*mut pg_sys::PlannedStmt> {
    // SAFETY: the nodes have the layout their tags say; the new statement is built from the parser's own output.
    unsafe {
        let statement = (*pstmt).utilityStmt.cast::<pg_sys::CopyStmt>();
        let table = tv_table((*statement).relation)?;
        let names = pgrx::PgList::<pg_sys::Node>::from_pg((*statement).attlist);
        let name = |name: *mut pg_sys::Node| {
            let text = CStr::from_ptr((*name.cast::<pg_sys::String>()).sval);
            text.to_string_lossy().into_owned()
        };
        let columns = copied(table, &names.iter_ptr().map(name).collect::<Vec<_>>())?;
        let table = relation::qualified_name(table)?;
        let sql = CString::new(format!("SELECT {} FROM ONLY {table}", columns.join(", "))).ok()?;
        let raw = pg_sys::list_nth(pg_sys::pg_parse_query(sql.as_ptr()), 0).cast::<pg_sys::RawStmt>();
        let copy = pg_sys::copyObjectImpl(pstmt.cast()).cast::<pg_sys::PlannedStmt>();
        let statement = (*copy).utilityStmt.cast::<pg_sys::CopyStmt>();
        (*statement).relation = std::ptr::null_mut();
        (*statement).attlist = std::ptr::null_mut();
        (*statement).query = (*raw).stmt;
        Some(copy)
    }
}

unsafe fn tv_table(name: *mut pg_sys::RangeVar) -> Option<Oid> {
    if at_own_work() || !crate::settings::read_your_writes() {
        return None;
    }
    // SAFETY: the name comes from the parser.
    let found = transaction::attempt(|| unsafe { super::table_tree::found(name) });
    let table = found.ok().flatten()?;
    known::all().ok()?.contains_key(&table).then_some(table)
}

/// The columns that are named, or those that COPY takes without a list; None if one does not exist: COPY says so itself.
fn copied(table: Oid, names: &[String]) -> Option<Vec<String>> {
    let columns = columns::of(table);
    if names.is_empty() {
        let ordinary = columns.iter().filter(|column| !column.generated);
        return Some(ordinary.map(|column| relation::quote(&column.name)).collect());
    }
    let exists = |name: &String| columns.iter().any(|column| column.name == *name);
    names
        .iter()
        .map(|name| exists(name).then(|| relation::quote(name)))
        .collect()
}
