//! Handlers of signals. In PostgreSQL 18 the function for server processes has a name of its own.

#[cfg(not(feature = "pg18"))]
use pgrx::pg_sys::pqsignal;
#[cfg(feature = "pg18")]
use pgrx::pg_sys::pqsignal_be as pqsignal;

/// Installs the handler of a signal.
///
/// # Safety
/// The handler does only what is allowed while any code is interrupted.
pub unsafe fn handle(signal: u32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: as the caller promises.
    unsafe { pqsignal(signal as i32, Some(handler)) };
}
