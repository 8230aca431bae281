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
    attribute(relation, attno, |attribute| attribute.attnotnull) == Some(true)
        // SAFETY: the column exists.
        && unsafe { not_null::holds_for_all_rows(relation, attno) }
}

/// Whether a generated column is computed when it is read.
pub fn is_virtual(relation: Oid, attno: i16) -> bool {
    attribute(relation, attno, |attribute| attribute.attgenerated as u8 == b'v') == Some(true)
}

fn attribute<R>(
    relation: Oid,
    attno: i16,
    read: impl FnOnce(&pg_sys::FormData_pg_attribute) -> R,
) -> Option<R> {
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::ATTNUM as i32;
        let tuple = pg_sys::SearchSysCache2(cache, relation.into_datum()?, attno.into_datum()?);
        if tuple.is_null() {
            return None;
        }
        let result = read(&*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_attribute>(
            tuple,
        ));
        pg_sys::ReleaseSysCache(tuple);
        Some(result)
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
