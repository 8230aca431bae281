//! `transaction_timeout`, new in PostgreSQL 17: a limit on the time of a transaction that ends the process, not only
//! the transaction.

/// Makes it a setting that nothing changes in this process from now on: an attempt is an ERROR (55P02).
pub fn refuse_changes() {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    {
        use pgrx::pg_sys;

        // SAFETY: the description of a setting lives as long as the process, and is its own.
        unsafe {
            let setting = pg_sys::find_option(
                c"transaction_timeout".as_ptr(),
                false,
                true,
                pg_sys::WARNING as i32,
            );
            if !setting.is_null() {
                (*setting).context = pg_sys::GucContext::PGC_SIGHUP;
            }
        }
    }
}
