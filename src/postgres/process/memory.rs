//! When memory runs out, Rust ends the process, and PostgreSQL then restarts the server. Three things prevent
//! that:
//!
//! - memory is kept in reserve, and given back when memory has run out: enough to reach a place where an
//!   ERROR can be raised ([`check`]);
//! - before a value of a user is copied, which may be large, [`room`] raises an ERROR if the copy would not
//!   fit;
//! - where neither is enough, only this session ends (FATAL).

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

/// What can be asked for at once, or little by little until the next [`check`], after memory has run out:
/// what grows with what was written stays below (the keys of a transaction, those of a refresh that are in
/// memory).
const MOST: usize = 64 * 1024 * 1024;
/// As much where memory is promised when it is asked for: there each process would take it away from the
/// others.
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

/// Takes the reserve, when the library is loaded. Children of the postmaster inherit it. It is never touched:
/// it takes addresses, not memory, unless the system promises memory beforehand.
pub fn init() {
    let promised =
        std::fs::read_to_string("/proc/sys/vm/overcommit_memory").map_or(true, |mode| mode.trim() == "2");
    WANTED.store(if promised { LEAST } else { MOST }, Relaxed);
    take();
}

/// An ERROR if memory has run out since the last call; called where many steps are made that each take a
/// little.
#[inline]
pub fn check() {
    if SHORT.load(Relaxed) {
        raise();
    }
    if RESERVED.load(Relaxed).is_null() {
        take();
    }
}

/// An ERROR if there is no room for so many bytes; called before something is copied whose size a user has
/// chosen.
#[inline]
pub fn room(bytes: usize) {
    check();
    if bytes > LEAST / 4 {
        probe(bytes);
    }
}

/// A C string as a text of our own; an ERROR if there is no room for the copy.
///
/// # Safety
/// It must be one, in the encoding of the server.
pub(in crate::postgres) unsafe fn text_of(text: *const std::ffi::c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe {
        let text = std::ffi::CStr::from_ptr(text);
        room(text.count_bytes());
        text.to_string_lossy().into_owned()
    }
}

/// The same of a pointer that may be NULL: a catalog function found nothing.
///
/// # Safety
/// As for [`text_of`], unless the pointer is NULL.
pub(in crate::postgres) unsafe fn text_or_none(text: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: as the caller promises.
    (!text.is_null()).then(|| unsafe { text_of(text) })
}

#[cold]
fn probe(bytes: usize) {
    // SAFETY: the layout is not empty. What is allocated is not used; the compiler must not leave it out for
    // that.
    let fits = unsafe {
        let place = std::hint::black_box(System.alloc(layout(bytes)));
        System.dealloc(place, layout(bytes));
        !place.is_null()
    };
    if !fits {
        pgrx::ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
            "out of memory",
            format!("Failed on request of size {bytes}, while pg_tviews was at work.")
        );
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

/// The memory in the contexts of this process, in bytes.
pub fn in_contexts() -> usize {
    // SAFETY: the context of all others exists as long as the process does.
    unsafe { pg_sys::MemoryContextMemAllocated(pg_sys::TopMemoryContext, true) }
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

#[cfg(not(test))]
extern "C-unwind" {
    fn errstart(level: i32, domain: *const std::ffi::c_char) -> bool;
    fn errcode(code: i32) -> i32;
    fn errmsg(format: *const std::ffi::c_char, ...) -> i32;
    fn errdetail(format: *const std::ffi::c_char, ...) -> i32;
    fn errfinish(file: *const std::ffi::c_char, line: i32, function: *const std::ffi::c_char);
}

/// Ends the session, or the worker, for want of so many bytes. An ERROR would have to unwind through the
/// allocator, which must not be. Returns in the postmaster only, which has no session to end.
#[cfg(not(test))]
#[cold]
fn end_session(bytes: usize) {
    // SAFETY: reads a variable that the postmaster sets at a fork. The message is made by PostgreSQL's
    // allocator; a FATAL one leaves through the end of the process, and unwinds nothing.
    unsafe {
        if pg_sys::IsUnderPostmaster && errstart(pg_sys::FATAL as i32, std::ptr::null()) {
            errcode(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32);
            errmsg(c"out of memory".as_ptr());
            errdetail(
                c"Failed on request of size %zu, while pg_tviews was at work.".as_ptr(),
                bytes,
            );
            errfinish(c"memory.rs".as_ptr(), 0, c"end_session".as_ptr());
        }
    }
}

/// Unit tests run outside of a server.
#[cfg(test)]
fn end_session(_bytes: usize) {}

/// What an allocation that failed gets after all.
#[cold]
fn again(bytes: usize, allocate: impl Fn() -> *mut u8) -> *mut u8 {
    if release() {
        let place = allocate();
        if !place.is_null() {
            return place;
        }
    }
    end_session(bytes);
    std::ptr::null_mut()
}

// SAFETY: hands every call on to the allocator of the system, at most twice, and never unwinds.
unsafe impl GlobalAlloc for WithReserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            let place = System.alloc(layout);
            if place.is_null() {
                return again(layout.size(), || System.alloc(layout));
            }
            place
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            let place = System.alloc_zeroed(layout);
            if place.is_null() {
                return again(layout.size(), || System.alloc_zeroed(layout));
            }
            place
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            let moved = System.realloc(place, layout, size);
            if moved.is_null() {
                return again(size, || System.realloc(place, layout, size));
            }
            moved
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe {
            System.dealloc(place, layout);
        }
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
        let caught = transaction::attempt_catching_all(check)
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

    #[pg_test]
    fn what_does_not_fit_is_an_error_before() {
        room(LEAST);
        let caught = transaction::attempt_catching_all(|| room(1 << 46)).err();
        let caught = caught.map(|caught| (caught.sqlstate(), caught.detail.unwrap_or_default()));
        let (sqlstate, detail) = caught.expect("no machine has as much");
        assert_eq!(sqlstate, "53200");
        assert!(detail.contains("size 70368744177664"), "{detail}");
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
        let caught = transaction::attempt_catching_all(check)
            .err()
            .map(|caught| caught.sqlstate());
        assert_eq!(caught.as_deref(), Some("53200"));
        check();
        let expected = if size == LEAST { LEAST } else { MOST };
        assert_eq!(SIZE.load(Relaxed), expected);
    }
}
