//! ExecutorFinish: rows that were captured without PostgreSQL's queue of triggers are recorded before triggers
//! fire.

use pgrx::pg_sys;

use crate::postgres::triggers::unqueued;

/// PostgreSQL's own, declared here because pgrx's declaration converts errors.
mod raw {
    use pgrx::pg_sys;

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn standard_ExecutorFinish(query: *mut pg_sys::QueryDesc);
    }
}

static mut NEXT: pg_sys::ExecutorFinish_hook_type = None;

/// Puts the hook in front of those already installed; call once per process, from `_PG_init`.
pub fn install() {
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT = pg_sys::ExecutorFinish_hook;
        pg_sys::ExecutorFinish_hook = Some(finish);
    }
}

/// Deliberately without `#[pg_guard]`: an ERROR of a trigger jumps over this frame, which owns nothing.
unsafe extern "C-unwind" fn finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: PostgreSQL passes a query that has been started; it is handed on as it came.
    unsafe {
        unqueued::rows_written(query);
        match NEXT {
            Some(next) => next(query),
            None => raw::standard_ExecutorFinish(query),
        }
    }
}
