//! Where memory ends, Rust ends the process, and with it PostgreSQL restarts the server. So memory is kept in
//! reserve: it is given back when there is no more, which is enough to get to a place where an ERROR can be raised.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use pgrx::PgSqlErrorCode;

/// What can be asked for at once, or little by little until the next [`check`], after memory has run out: what grows with what
/// was written stays below (the keys of a transaction, those of a refresh that are in memory).
const MOST: usize = 64 * 1024 * 1024;
/// As much where memory is promised when it is asked for: there each process would take it away from the others.
const LEAST: usize = 4 * 1024 * 1024;

/// The allocator of the system, with a reserve.
struct WithReserve;

#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve;

static RESERVED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
/// The size of what is there, or was last.
static SIZE: AtomicUsize = AtomicUsize::new(0);
/// The size to be taken if there is room.
static WANTED: AtomicUsize = AtomicUsize::new(LEAST);
/// The reserve was given back since it was last raised as an ERROR.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Takes the reserve, when the library is loaded. Children of the postmaster inherit it. It is never touched: it takes
/// addresses, not memory, unless the system promises memory beforehand.
pub fn init() {
    let promised =
        std::fs::read_to_string("/proc/sys/vm/overcommit_memory").map_or(true, |mode| mode.trim() == "2");
    WANTED.store(if promised { LEAST } else { MOST }, Relaxed);
    take();
}

/// An ERROR if memory has run out since the last call; called where many steps are made that each take a little.
#[inline]
pub fn check() {
    if SHORT.load(Relaxed) {
        raise();
    }
    if RESERVED.load(Relaxed).is_null() {
        take();
    }
}

/// Takes as much as there is room for.
#[cold]
fn take() {
    let mut size = WANTED.load(Relaxed);
    while size >= LEAST {
        // SAFETY: the layout is not empty.
        let place = unsafe { System.alloc(layout(size)) };
        if !place.is_null() {
            SIZE.store(size, Relaxed);
            RESERVED.store(place, Relaxed);
            return;
        }
        size /= 2;
    }
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, 4096) {
        Ok(layout) => layout,
        Err(_) => panic!("a valid layout"),
    }
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
    // SAFETY: allocated with this layout by `take`, and swapped out by nobody else.
    unsafe { System.dealloc(reserved, layout(SIZE.load(Relaxed))) };
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
        assert!(release());
        assert!(!release());
        let caught = transaction::attempt_whatever(check)
            .err()
            .map(|caught| caught.sqlstate());
        assert_eq!(caught.as_deref(), Some("53200"));
        check();
        assert!(!RESERVED.load(Relaxed).is_null());
    }

    /// As the system has it.
    #[repr(C)]
    struct Limit {
        soft: u64,
        hard: u64,
    }

    extern "C" {
        fn getrlimit(resource: i32, limit: *mut Limit) -> i32;
        fn setrlimit(resource: i32, limit: *const Limit) -> i32;
    }

    const ADDRESSES: i32 = 9;

    fn addresses() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("a process has a size");
        let pages = statm
            .split(' ')
            .next()
            .and_then(|pages| pages.parse::<u64>().ok());
        4096 * pages.expect("a number of pages")
    }

    #[pg_test]
    fn what_is_large_fits_the_reserve() {
        check();
        let size = SIZE.load(Relaxed);
        let mut before = Limit { soft: 0, hard: 0 };
        // SAFETY: reads and writes the structure given; the soft limit is put back below.
        unsafe { getrlimit(ADDRESSES, &mut before) };
        let soft = addresses() + 64 * 1024;
        // SAFETY: as above.
        unsafe {
            setrlimit(
                ADDRESSES,
                &Limit {
                    soft,
                    hard: before.hard,
                },
            )
        };
        let large: Vec<u8> = Vec::with_capacity(size - 64 * 1024);
        let short = SHORT.load(Relaxed);
        drop(large);
        // SAFETY: as above.
        unsafe { setrlimit(ADDRESSES, &before) };
        assert!(short, "it came from the reserve");
        let caught = transaction::attempt_whatever(check)
            .err()
            .map(|caught| caught.sqlstate());
        assert_eq!(caught.as_deref(), Some("53200"));
        check();
        let expected = if size == LEAST { LEAST } else { MOST };
        assert_eq!(SIZE.load(Relaxed), expected);
    }
}
