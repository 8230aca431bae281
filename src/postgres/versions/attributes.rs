//! The columns of a tuple descriptor. PostgreSQL 18 keeps them behind short forms of the same columns.

use pgrx::pg_sys;

/// The columns of a descriptor, dropped ones among them.
///
/// # Safety
/// The descriptor is valid for as long as the result is used.
#[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
pub unsafe fn attributes<'a>(descriptor: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: as the caller promises; a descriptor ends in `natts` attributes.
    unsafe { (*descriptor).attrs.as_slice((*descriptor).natts as usize) }
}

/// The columns of a descriptor, dropped ones among them.
///
/// # Safety
/// The descriptor is valid for as long as the result is used.
#[cfg(feature = "pg18")]
pub unsafe fn attributes<'a>(descriptor: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: as the caller promises; a descriptor ends in `natts` short forms, then `natts` attributes.
    unsafe {
        let count = (*descriptor).natts as usize;
        let short_forms: *const pg_sys::CompactAttribute = (*descriptor).compact_attrs.as_ptr();
        std::slice::from_raw_parts(short_forms.add(count).cast(), count)
    }
}
