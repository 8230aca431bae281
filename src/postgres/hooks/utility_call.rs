//! One call of ProcessUtility, and how it is passed on: to the hook that was there before, or to PostgreSQL itself.

use pgrx::pg_sys;

/// PostgreSQL's own, declared here because pgrx's declaration converts errors.
mod raw {
    use pgrx::pg_sys;

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn standard_ProcessUtility(
            pstmt: *mut pg_sys::PlannedStmt,
            query: *const std::ffi::c_char,
            read_only: bool,
            context: pg_sys::ProcessUtilityContext::Type,
            params: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            dest: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        );
    }
}

static mut NEXT: pg_sys::ProcessUtility_hook_type = None;

/// Puts the hook in front of those already installed; call once per process.
pub fn install(hook: pg_sys::ProcessUtility_hook_type) {
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = hook;
    }
}

/// The arguments of a call.
#[derive(Clone, Copy)]
pub struct Call {
    pub pstmt: *mut pg_sys::PlannedStmt,
    pub query: *const std::ffi::c_char,
    pub read_only: bool,
    pub context: pg_sys::ProcessUtilityContext::Type,
    pub params: pg_sys::ParamListInfo,
    pub environment: *mut pg_sys::QueryEnvironment,
    pub dest: *mut pg_sys::DestReceiver,
    pub completion: *mut pg_sys::QueryCompletion,
}

impl Call {
    /// Passes the call on, for this statement.
    ///
    /// # Safety
    /// The arguments are as PostgreSQL gave them, and the call has not returned. `pstmt` is the statement, or a changed
    /// copy of it. An ERROR jumps over the caller's frame, which must own nothing.
    pub unsafe fn pass_on(&self, pstmt: *mut pg_sys::PlannedStmt) {
        // SAFETY: as the caller promises.
        unsafe {
            let next = NEXT.unwrap_or(raw::standard_ProcessUtility);
            next(
                pstmt,
                self.query,
                self.read_only,
                self.context,
                self.params,
                self.environment,
                self.dest,
                self.completion,
            );
        }
    }
}
