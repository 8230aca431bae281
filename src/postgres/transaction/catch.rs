//! Catching an ERROR, with the code that PostgreSQL reported.

use std::panic::UnwindSafe;

use pgrx::pg_sys;
use pgrx::PgTryBuilder;

use crate::error::Caught;

/// Runs `work` and returns its ERROR. The caller must raise another ERROR, or end the (sub)transaction.
pub fn catch<R>(work: impl FnOnce() -> R + UnwindSafe) -> Result<R, Caught> {
    let mut reported = 0;
    let result = with_reported_code(&mut reported, || {
        PgTryBuilder::new(|| Ok(work()))
            .catch_others(|error| Err(Box::new(error)))
            .catch_rust_panic(|error| Err(Box::new(error)))
            .execute()
    });
    result.map_err(|error| Caught::from(*error, reported))
}

/// Runs `work`. The code of each message that PostgreSQL reports meanwhile is stored in `reported`.
fn with_reported_code<R>(reported: &mut i32, work: impl FnOnce() -> R) -> R {
    // SAFETY: the callback is taken off the stack before it and what it points to go; an ERROR in `work` is
    // caught inside.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(note_code),
            arg: (reported as *mut i32).cast(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        let result = work();
        pg_sys::error_context_stack = callback.previous;
        result
    }
}

unsafe extern "C-unwind" fn note_code(reported: *mut std::ffi::c_void) {
    // SAFETY: called while a message is reported, with the argument given above.
    unsafe { *reported.cast::<i32>() = pg_sys::geterrcode() }
}
