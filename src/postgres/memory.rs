//! Where memory ends, Rust ends the process, and with it PostgreSQL restarts the server. So a little memory is kept in
//! reserve: it is given back when there is no more, which is enough to get to a place where an ERROR can be raised.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};

use pgrx::PgSqlErrorCode;

const RESERVE: Layout = match Layout::from_size_align(4 * 1024 * 1024, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};

/// The allocator of the system, with a reserve.
struct WithReserve;

#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve;

static RESERVED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
/// The reserve was given back since it was last raised as an ERROR.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Takes the reserve, if it is not there. Children of the postmaster inherit it, untouched.
pub fn init() {
    if RESERVED.load(Relaxed).is_null() {
        // SAFETY: the layout is not empty.
        RESERVED.store(unsafe { System.alloc(RESERVE) }, Relaxed);
    }
}

/// An ERROR if memory has run out since the last call; called where many steps are made that each take a little.
pub fn check() {
    if SHORT.load(Relaxed) {
        raise();
    }
    init();
}

#[cold]
fn raise() -> ! {
    SHORT.store(false, Relaxed);
    pgrx::ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
        "out of memory",
        "This happened while pg_tviews was at work."
    );
}

extern "C" {
    fn malloc_trim(pad: usize) -> i32;
}

/// Gives memory that is free in this process back to the system.
pub fn trim() {
    // SAFETY: has no preconditions.
    unsafe { malloc_trim(0) };
}

/// Gives the reserve back; false if there is none.
#[cold]
fn release() -> bool {
    let reserved = RESERVED.swap(std::ptr::null_mut(), Relaxed);
    if reserved.is_null() {
        return false;
    }
    SHORT.store(true, Relaxed);
    // SAFETY: allocated with this layout by `init`, and swapped out by nobody else.
    unsafe { System.dealloc(reserved, RESERVE) };
    true
}

// SAFETY: hands every call on to the allocator of the system, at most twice, and never unwinds.
unsafe impl GlobalAlloc for WithReserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = System.alloc(layout);
        if place.is_null() && release() {
            return System.alloc(layout);
        }
        place
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let place = System.alloc_zeroed(layout);
        if place.is_null() && release() {
            return System.alloc_zeroed(layout);
        }
        place
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let moved = System.realloc(place, layout, size);
        if moved.is_null() && release() {
            return System.realloc(place, layout, size);
        }
        moved
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        System.dealloc(place, layout);
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;
    use crate::postgres::transaction;

    #[pg_test]
    fn short_memory_is_an_error_once() {
        init();
        assert!(release());
        assert!(!release());
        let caught = transaction::attempt_whatever(check)
            .err()
            .map(|caught| caught.sqlstate());
        assert_eq!(caught.as_deref(), Some("53200"));
        check();
        assert!(!RESERVED.load(Relaxed).is_null());
    }
}
