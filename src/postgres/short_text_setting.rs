//! A setting of a session that is a short text.

use std::ffi::{c_char, c_void, CStr, CString};

use pgrx::{pg_guard, pg_sys, GucContext, GucFlags, GucRegistry, GucSetting};

/// Maximum length, in bytes.
const LONGEST: usize = 64;

/// Registers the setting. A longer text is refused.
pub fn define(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
) {
    let (context, flags) = (GucContext::Userset, GucFlags::default());
    // SAFETY: the hook is guarded, and reads only what it is given.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            context,
            flags,
            Some(check),
            None,
            None,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: points at NULL or a C string.
    let length = unsafe {
        match (*value).is_null() {
            true => 0,
            false => CStr::from_ptr(*value).to_bytes().len(),
        }
    };
    if length > LONGEST {
        // SAFETY: PostgreSQL reads and frees the copy, which is in its memory for messages.
        unsafe {
            pg_sys::GUC_check_errdetail_string = pg_sys::pstrdup(c"It is longer than 64 bytes.".as_ptr());
        }
        return false;
    }
    true
}
