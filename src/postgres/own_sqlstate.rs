//! An ERROR with a SQLSTATE of the extension's own. pgrx knows only the codes of PostgreSQL, and an ERROR is
//! made from what pgrx knows when the last Rust frame is left.

use std::ffi::{c_int, c_void};
use std::ptr::{addr_of_mut, null_mut};

use pgrx::pg_sys;

use super::run_as::at_own_work;
use crate::error::Problem;

/// PostgreSQL's own, which pgrx does not declare.
mod raw {
    extern "C-unwind" {
        pub fn errcode(code: std::ffi::c_int) -> std::ffi::c_int;
    }
}

static mut CODE: c_int = 0;
static mut CALLBACK: pg_sys::ErrorContextCallback = pg_sys::ErrorContextCallback {
    previous: null_mut(),
    callback: Some(set_code),
    arg: null_mut(),
};

/// Raises the message as an ERROR with this SQLSTATE. Where an ERROR is caught, the SQLSTATE of `problem`
/// counts.
pub fn raise(problem: Problem, sqlstate: [u8; 5]) -> ! {
    // The extension catches the ERRORs of its own work.
    if at_own_work() {
        problem.raise();
    }
    // SAFETY: one thread. PostgreSQL calls the callback while it makes the ERROR, and takes the callback off
    // the stack where the ERROR is handled, as does `transaction::catch`. The struct lives as long as the
    // process.
    unsafe {
        CODE = packed(sqlstate);
        (*addr_of_mut!(CALLBACK)).previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = addr_of_mut!(CALLBACK);
    }
    problem.raise()
}

unsafe extern "C-unwind" fn set_code(_: *mut c_void) {
    // SAFETY: called while a message is made, which is the one of `raise`.
    unsafe {
        raw::errcode(CODE);
    }
}

/// PostgreSQL packs six bits for each letter or digit into one number.
const fn packed(sqlstate: [u8; 5]) -> c_int {
    let mut code = 0;
    let mut n = 0;
    while n < 5 {
        code |= ((sqlstate[n].wrapping_sub(b'0') as c_int) & 0x3f) << (6 * n);
        n += 1;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::letters;

    #[test]
    fn packs_as_postgresql_does() {
        for sqlstate in ["55000", "XX000", "55T01"] {
            let bytes: [u8; 5] = sqlstate.as_bytes().try_into().unwrap();
            assert_eq!(letters(packed(bytes)), sqlstate);
        }
    }
}
