//! The snapshot that PostgreSQL expects around what may store values out of line. Before a commit there may be none.

use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_sys;

/// PostgreSQL's own, called inside a guard.
mod raw {
    use pgrx::pg_sys;

    extern "C-unwind" {
        pub fn ActiveSnapshotSet() -> bool;
        pub fn GetTransactionSnapshot() -> pg_sys::Snapshot;
        pub fn PushActiveSnapshot(snapshot: pg_sys::Snapshot);
        pub fn PopActiveSnapshot();
        pub fn GetConfigOption(
            name: *const std::ffi::c_char,
            missing_ok: bool,
            restrict_privileged: bool,
        ) -> *const std::ffi::c_char;
    }
}

/// Rows up to this size have no values out of line: PostgreSQL's limit is about a quarter of a page.
const SHORT: u32 = 1_000;

/// Runs `insert`, which inserts a row, with an active snapshot if it needs one. An ERROR aborts the transaction, which
/// undoes that.
///
/// # Safety
/// Inside a guard, in a transaction.
pub unsafe fn around(row: pg_sys::HeapTuple, insert: impl FnOnce()) {
    // SAFETY: as the caller promises.
    unsafe {
        let is_needed = ((*row).t_len > SHORT || server_asserts()) && !raw::ActiveSnapshotSet();
        if is_needed {
            raw::PushActiveSnapshot(raw::GetTransactionSnapshot());
        }
        insert();
        if is_needed {
            raw::PopActiveSnapshot();
        }
    }
}

/// Whether the server was built with assertions: it asserts the snapshot for short rows, too, which make no use of it.
unsafe fn server_asserts() -> bool {
    static ASSERTS: OnceLock<bool> = OnceLock::new();
    // SAFETY: inside a guard; the setting is a text that ends, or null.
    *ASSERTS.get_or_init(|| unsafe {
        let setting = raw::GetConfigOption(c"debug_assertions".as_ptr(), true, false);
        !setting.is_null() && CStr::from_ptr(setting) == c"on"
    })
}
