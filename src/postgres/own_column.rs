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
    let name_bytes = name.to_bytes_with_nul();
    let is_named = |column: &pg_sys::FormData_pg_attribute| {
        let own = &column.attname.data;
        // SAFETY: the bytes of the array, of which none is more than a byte.
        let own = unsafe { std::slice::from_raw_parts(own.as_ptr().cast::<u8>(), own.len()) };
        !column.attisdropped && own.starts_with(name_bytes)
    };
    // SAFETY: the table is open.
    let columns = unsafe { attributes((*table).rd_att) };
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
