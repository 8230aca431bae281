//! The place of this process in the process array: a field of the process until PostgreSQL 16, then a
//! variable.

use pgrx::pg_sys;

/// The index of this process in the process array.
pub fn own() -> u32 {
    // SAFETY: set from the start of every process that loads the library until its exit.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        return (*pg_sys::MyProc).pgprocno as u32;
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        return pg_sys::MyProcNumber as u32;
    }
}
