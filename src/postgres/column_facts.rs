//! Facts about columns of relations from the catalogs.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};
use pgrx::IntoDatum;

use super::process::memory;
use super::versions::not_null;

/// The name of a column; None if it is gone.
pub fn name(relation: Oid, attno: i16) -> Option<String> {
    // SAFETY: catalog look-up with missing_ok.
    unsafe { memory::text_or_none(pg_sys::get_attname(relation, attno, true)) }
}

/// Whether a column is declared NOT NULL, for all rows.
pub fn is_not_null(relation: Oid, attno: i16) -> bool {
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let (relation_oid, number) = (relation, attno);
        let (Some(relation), Some(attno)) = (relation.into_datum(), attno.into_datum()) else {
            return false;
        };
        let tuple = pg_sys::SearchSysCache2(pg_sys::SysCacheIdentifier::ATTNUM as i32, relation, attno);
        if tuple.is_null() {
            return false;
        }
        let attribute = pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_attribute>(tuple);
        let not_null = (*attribute).attnotnull;
        pg_sys::ReleaseSysCache(tuple);
        not_null && not_null::holds_for_all_rows(relation_oid, number)
    }
}

/// Whether a table that inherits declares its column of the same name NOT NULL.
pub fn is_not_null_in_child(relation: Oid, attno: i16, child: Oid) -> bool {
    let Some(name) = name(relation, attno).and_then(|name| CString::new(name).ok()) else {
        return false;
    };
    // SAFETY: catalog look-up; the number is that of no column where the name is unknown.
    is_not_null(child, unsafe { pg_sys::get_attnum(child, name.as_ptr()) })
}
