//! `COPY FROM` writes a table without a query: what is called around queries that write is called around it.

use pgrx::pg_sys::{self, Oid};

use super::executor;
use crate::postgres::triggers::ddl_event;

/// Whether a statement is such a COPY, and anything is to be called.
///
/// # Safety
/// `node` is a valid utility statement.
pub unsafe fn may_be_watched(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node is read with the layout its tag says.
    unsafe {
        (*node).type_ == pg_sys::NodeTag::T_CopyStmt
            && (*node.cast::<pg_sys::CopyStmt>()).is_from
            && !(*node.cast::<pg_sys::CopyStmt>()).relation.is_null()
            && executor::writes_are_watched()
    }
}

/// The table that it writes; None: there is none of that name.
///
/// # Safety
/// `node` is a valid COPY of a table, inside a transaction.
pub unsafe fn table(node: *mut pg_sys::Node) -> Option<Oid> {
    // SAFETY: as the caller promises. The parser's own name. A schema that the role may not use is an ERROR here, as it
    // would be in COPY.
    unsafe { ddl_event::found((*node.cast::<pg_sys::CopyStmt>()).relation) }
}
