//! Columns of the extension's own tables, found by name: a number may differ from the one that the table was
//! created with.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use super::versions::attributes::attributes;
use crate::error::Problem;

/// The index of a column among the attributes of a table; the search begins at `hint`. Raises an ERROR if
/// there is no such column.
///
/// # Safety
/// An open table.
pub unsafe fn index(table: pg_sys::Relation, name: &CStr, hint: usize) -> usize {
    // SAFETY: the table is open; names are NUL-terminated.
    let (columns, is_named) = unsafe {
        let columns = attributes((*table).rd_att);
        let is_named = |column: &pg_sys::FormData_pg_attribute| {
            !column.attisdropped && CStr::from_ptr(column.attname.data.as_ptr()) == name
        };
        (columns, is_named)
    };
    if columns.get(hint).is_some_and(is_named) {
        return hint;
    }
    columns.iter().position(is_named).unwrap_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!("a table of pg_tviews has lost its column {name:?}"),
        )
        .hint("Run DROP EXTENSION pg_tviews CASCADE; and create the extension and its TVIEWs again.")
        .raise()
    })
}
