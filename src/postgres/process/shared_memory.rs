//! Fixed-size arrays in shared memory. Elements are made of atomics, so no lock guards them.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pgrx::pg_sys;

/// An array in shared memory whose length follows from settings read once at server start.
pub struct SharedArray<T: 'static> {
    name: &'static CStr,
    length: fn() -> usize,
    start: AtomicPtr<T>,
}

/// A [`SharedArray`] for the hooks, whatever its elements are.
pub trait Reservation: Sync {
    /// Asks for the space.
    fn request(&self);
    /// Creates the array, or finds the one the postmaster created.
    fn place(&self);
}

impl<T: Default + Sync + 'static> SharedArray<T> {
    /// An array that will hold `length()` elements; nothing is reserved yet.
    pub const fn new(name: &'static CStr, length: fn() -> usize) -> Self {
        Self {
            name,
            length,
            start: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The elements; none if the library was not preloaded.
    pub fn get(&self) -> &'static [T] {
        let start = self.start.load(Ordering::Relaxed);
        if start.is_null() {
            return &[];
        }
        // SAFETY: `place` stored the address of that many initialised elements, which live until the process
        // ends.
        unsafe { std::slice::from_raw_parts(start, (self.length)()) }
    }
}

impl<T: Default + Sync + 'static> Reservation for SharedArray<T> {
    fn request(&self) {
        // SAFETY: called from shmem_request_hook only, as PostgreSQL demands. The extra element is room to
        // align.
        unsafe { pg_sys::RequestAddinShmemSpace(((self.length)() + 1) * size_of::<T>()) }
    }

    fn place(&self) {
        assert!(
            !std::mem::needs_drop::<T>(),
            "shared memory holds indexes, counters and atomics only"
        );
        let length = (self.length)();
        let mut found = false;
        // SAFETY: called from shmem_startup_hook only; the area is at least `length` elements after aligning,
        // and only the process that created it writes the initial values, before any other process exists.
        unsafe {
            let area =
                pg_sys::ShmemInitStruct(self.name.as_ptr(), (length + 1) * size_of::<T>(), &raw mut found);
            let start = area
                .cast::<u8>()
                .add(area.cast::<u8>().align_offset(align_of::<T>()))
                .cast::<T>();
            if !found {
                for index in 0..length {
                    start.add(index).write(T::default());
                }
            }
            self.start.store(start, Ordering::Relaxed);
        }
    }
}

static mut RESERVATIONS: &[&dyn Reservation] = &[];
static mut NEXT_REQUEST_HOOK: pg_sys::shmem_request_hook_type = None;
static mut NEXT_STARTUP_HOOK: pg_sys::shmem_startup_hook_type = None;

/// Reserves these arrays; call once, from `_PG_init`, while the postmaster preloads libraries.
pub fn reserve(reservations: &'static [&'static dyn Reservation]) {
    // SAFETY: the postmaster is single-threaded and runs _PG_init once; hooks are chained, not replaced.
    unsafe {
        RESERVATIONS = reservations;
        NEXT_REQUEST_HOOK = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        NEXT_STARTUP_HOOK = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: written once by `reserve` before any hook can run; the next hook has our own signature.
    let reservations = unsafe {
        if let Some(next) = NEXT_REQUEST_HOOK {
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| next());
        }
        RESERVATIONS
    };
    reservations.iter().for_each(|reservation| reservation.request());
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: as in `request`.
    let reservations = unsafe {
        if let Some(next) = NEXT_STARTUP_HOOK {
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| next());
        }
        RESERVATIONS
    };
    reservations.iter().for_each(|reservation| reservation.place());
}
