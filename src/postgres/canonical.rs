//! Text input and output of values that is the same in every session: the settings they depend on are set for
//! the moment.

use std::cell::Cell;

use pgrx::pg_sys;

unsafe extern "C" {
    static mut bytea_output: std::ffi::c_int;
}

/// While it lives, values become text in one form: dates as ISO 8601 with their offset from UTC, all digits
/// of floating-point numbers, `bytea` in hexadecimal. The variables behind the settings are set directly: a
/// new nest level of settings costs several times the row it would serve.
pub(super) struct CanonicalText {
    date_style: i32,
    interval_style: i32,
    float_digits: i32,
    bytea: i32,
    time_zone: *mut pg_sys::pg_tz,
}

impl CanonicalText {
    pub(super) fn new() -> Self {
        // SAFETY: plain variables of this single-threaded process; `drop` puts them back, also on unwinding.
        unsafe {
            let previous = CanonicalText {
                date_style: pg_sys::DateStyle,
                interval_style: pg_sys::IntervalStyle,
                float_digits: pg_sys::extra_float_digits,
                bytea: bytea_output,
                time_zone: pg_sys::session_timezone,
            };
            pg_sys::session_timezone = utc();
            pg_sys::DateStyle = pg_sys::USE_ISO_DATES as i32;
            pg_sys::IntervalStyle = pg_sys::INTSTYLE_POSTGRES as i32;
            pg_sys::extra_float_digits = 3;
            // BYTEA_OUTPUT_HEX
            bytea_output = 1;
            previous
        }
    }
}

impl Drop for CanonicalText {
    fn drop(&mut self) {
        // SAFETY: see `new`.
        unsafe {
            pg_sys::DateStyle = self.date_style;
            pg_sys::IntervalStyle = self.interval_style;
            pg_sys::extra_float_digits = self.float_digits;
            bytea_output = self.bytea;
            pg_sys::session_timezone = self.time_zone;
        }
    }
}

/// PostgreSQL keeps time zones for the life of the process.
unsafe fn utc() -> *mut pg_sys::pg_tz {
    // SAFETY: the name is a C string.
    unsafe {
        thread_local! {
            static UTC: Cell<*mut pg_sys::pg_tz> = const { Cell::new(std::ptr::null_mut()) };
        }
        if UTC.get().is_null() {
            UTC.set(pg_sys::pg_tzset(c"GMT".as_ptr()));
        }
        UTC.get()
    }
}
