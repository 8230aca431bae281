//! What a session waits for, as `pg_stat_activity` shows it. Extensions name their own since PostgreSQL 17;
//! before, all of them wait for `Extension`.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The wait event of any extension.
pub const UNNAMED: u32 = pg_sys::PG_WAIT_EXTENSION;

/// The wait event of that name. Raises an ERROR if the server has no room for more names.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub fn named(name: &CStr) -> u32 {
    // SAFETY: NUL-terminated; the name is copied.
    unsafe { pg_sys::WaitEventExtensionNew(name.as_ptr()) }
}

/// As [`UNNAMED`].
#[cfg(not(any(feature = "pg17", feature = "pg18")))]
pub fn named(_name: &CStr) -> u32 {
    UNNAMED
}
