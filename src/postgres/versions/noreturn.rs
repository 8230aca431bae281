//! The end of the process, by a function of which the bindings for PostgreSQL 18 do not say that it never
//! returns.

use pgrx::pg_sys;

/// Ends the process after its exit callbacks.
///
/// # Safety
/// No frame above owns anything outside this process.
pub unsafe fn proc_exit(code: i32) -> ! {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::proc_exit(code);
        #[cfg(feature = "pg18")]
        {
            pg_sys::proc_exit(code);
            std::process::abort()
        }
    }
}
