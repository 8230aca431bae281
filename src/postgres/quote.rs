//! How names and values are written into SQL text: the only place.

use std::ffi::CString;

use pgrx::pg_sys;

use super::process::memory;

/// An identifier, quoted where needed.
pub fn identifier(identifier: &str) -> String {
    let Ok(c) = CString::new(identifier) else {
        return String::from("\"\"");
    };
    // SAFETY: returns its argument or a palloc'd copy.
    unsafe { memory::text_or_none(pg_sys::quote_identifier(c.as_ptr())) }.unwrap_or_default()
}

/// A value as a string literal.
pub fn literal(value: &str) -> String {
    let Ok(c) = CString::new(value) else {
        return String::from("''");
    };
    // SAFETY: returns a palloc'd copy.
    unsafe { memory::text_or_none(pg_sys::quote_literal_cstr(c.as_ptr())) }.unwrap_or_default()
}
