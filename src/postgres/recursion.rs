//! The limit of recursion over what users have created: a query, views in views, TVIEWs of TVIEWs. Every
//! function that calls itself over these takes a [`step`].

use pgrx::pg_sys;

use super::process::memory;

/// An ERROR where the stack is nearly used up (54001), memory has run out, or the command is cancelled.
pub fn step() {
    // SAFETY: compares the address of a local variable with the limit; it may raise an ERROR, nothing else.
    unsafe { pg_sys::check_stack_depth() };
    pgrx::check_for_interrupts!();
    memory::check();
}
