//! Whether the library is being loaded by the postmaster, through shared_preload_libraries.

use pgrx::pg_sys;

/// True only inside `_PG_init` of a preloaded library.
pub fn in_progress() -> bool {
    // SAFETY: a plain flag of this single-threaded process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}
