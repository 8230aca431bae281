//! `CREATE VIEW v_post AS SELECT pk_post, * FROM tb_post`: a repeated column of a backing view is dropped, as
//! in pg_tviews_create. PostgreSQL refuses such a statement, so no statement that works is changed.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use crate::postgres::query_tree::Select;
use crate::postgres::{extension, transaction};

/// Whether a statement creates a `v_` view whose select list mixes `*` with other columns.
///
/// # Safety
/// `node` is a valid utility statement.
pub unsafe fn may_repeat_columns(node: *mut pg_sys::Node) -> bool {
    // SAFETY: each node is read with the layout its tag says.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_ViewStmt {
            return false;
        }
        let statement = node.cast::<pg_sys::ViewStmt>();
        let query = (*statement).query;
        if !CStr::from_ptr((*(*statement).view).relname)
            .to_bytes()
            .starts_with(b"v_")
            || !(*statement).aliases.is_null()
            || query.is_null()
            || (*query).type_ != pg_sys::NodeTag::T_SelectStmt
        {
            return false;
        }
        let targets = (*query.cast::<pg_sys::SelectStmt>()).targetList;
        !targets.is_null() && (*targets).length > 1 && has_star(targets)
    }
}

unsafe fn has_star(targets: *mut pg_sys::List) -> bool {
    // SAFETY: the grammar makes ResTarget nodes; the last field of a column reference may be `*`.
    unsafe {
        (0..(*targets).length).any(|n| {
            let target = pg_sys::list_nth(targets, n).cast::<pg_sys::ResTarget>();
            let value = (*target).val;
            if value.is_null() || (*value).type_ != pg_sys::NodeTag::T_ColumnRef {
                return false;
            }
            let fields = (*value.cast::<pg_sys::ColumnRef>()).fields;
            let last = pg_sys::list_nth(fields, (*fields).length - 1).cast::<pg_sys::Node>();
            (*last).type_ == pg_sys::NodeTag::T_A_Star
        })
    }
}

/// A copy of the statement without repeated columns; None if it has none, or its analysis fails: then the
/// statement reports the error when it runs.
///
/// # Safety
/// `pstmt` is a valid CREATE VIEW statement, inside a transaction.
pub unsafe fn without_repeated_columns(
    pstmt: *mut pg_sys::PlannedStmt,
    text: *const std::ffi::c_char,
) -> Option<*mut pg_sys::PlannedStmt> {
    if !extension::installed() {
        return None;
    }
    // SAFETY: analysis works on a copy; the new statement is built from the parser's own output.
    unsafe {
        let query = (*(*pstmt).utilityStmt.cast::<pg_sys::ViewStmt>()).query;
        let collapsed = transaction::attempt(|| Select::collapsed(query, text))
            .ok()
            .flatten()?;
        let sql = CString::new(collapsed).ok()?;
        let parsed = pg_sys::pg_parse_query(sql.as_ptr());
        let raw = pg_sys::list_nth(parsed, 0).cast::<pg_sys::RawStmt>();
        let copy = pg_sys::copyObjectImpl(pstmt.cast()).cast::<pg_sys::PlannedStmt>();
        (*(*copy).utilityStmt.cast::<pg_sys::ViewStmt>()).query = (*raw).stmt;
        Some(copy)
    }
}
