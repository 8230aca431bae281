//! Cache invalidation callbacks. The extension has one for relations, as a server process has room for ten,
//! and one each for schemas, functions, types and casts.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::OnceLock;

use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{pg_guard, IntoDatum};

static SCHEMAS: AtomicU64 = AtomicU64::new(0);
const TYPES: std::ffi::c_int = pg_sys::SysCacheIdentifier::TYPEOID as std::ffi::c_int;
const FUNCTIONS: std::ffi::c_int = pg_sys::SysCacheIdentifier::PROCOID as std::ffi::c_int;

static CODE: AtomicU64 = AtomicU64::new(0);
static FORGET: OnceLock<&'static [fn(Oid)]> = OnceLock::new();

/// Reads what other sessions have announced. A transaction that holds its locks already does not do that by
/// itself.
pub fn accept() {
    // SAFETY: inside a transaction; caches in use are counted.
    unsafe { pg_sys::AcceptInvalidationMessages() }
}

/// Calls each function when the definition of a relation may have changed; `InvalidOid` means any relation.
/// An invalidation can come during any catalog access: the functions must not raise, and must expect that
/// their cache is in use.
pub fn register(forget: &'static [fn(Oid)]) {
    if FORGET.set(forget).is_ok() {
        // SAFETY: the callback is a static function that ignores its argument.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), Datum::from(0));
            let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID as std::ffi::c_int;
            pg_sys::CacheRegisterSyscacheCallback(schemas, Some(on_schema_change), Datum::from(0));
            for cache in [TYPES, FUNCTIONS] {
                pg_sys::CacheRegisterSyscacheCallback(cache, Some(on_code_change), Datum::from(0));
            }
            let casts = pg_sys::SysCacheIdentifier::CASTSOURCETARGET as std::ffi::c_int;
            pg_sys::CacheRegisterSyscacheCallback(casts, Some(on_cast_change), Datum::from(0));
        };
    }
}

/// Makes every process read the definition of a relation again after this transaction commits.
pub fn announce(relation: Oid) {
    // SAFETY: inside a transaction, for a relation that exists in its view of the catalogs.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

/// A schema was created or renamed: the texts of statements name schemas.
#[pg_guard]
unsafe extern "C-unwind" fn on_schema_change(_argument: Datum, _cache: std::ffi::c_int, _hash: u32) {
    SCHEMAS.fetch_add(1, Relaxed);
    crate::postgres::relation_changes::note_any();
}

/// Grows whenever a schema may have been renamed.
pub fn schemas() -> u64 {
    SCHEMAS.load(Relaxed)
}

thread_local! {
    /// Cache hashes of the types and functions whose changes matter. All others are ignored: every temporary
    /// table creates types.
    static WATCHED: RefCell<HashSet<u32>> = RefCell::default();
}

/// From now on [`code`] grows when one of these is altered. Inside a transaction.
pub fn watch_code(types: &[Oid], functions: &[Oid]) {
    let none = Datum::from(0);
    for (cache, objects) in [(TYPES, types), (FUNCTIONS, functions)] {
        for object in objects.iter().filter_map(|object| object.into_datum()) {
            // SAFETY: computes the hash of a key; each of both caches has one key column.
            let hash = unsafe { pg_sys::GetSysCacheHashValue(cache, object, none, none, none) };
            WATCHED.with_borrow_mut(|watched| watched.insert(hash));
        }
    }
}

/// Grows when a type or a function that is watched may have been altered, or any cast.
pub fn code() -> u64 {
    CODE.load(Relaxed)
}

#[pg_guard]
unsafe extern "C-unwind" fn on_code_change(_argument: Datum, _cache: std::ffi::c_int, hash: u32) {
    let concerns = WATCHED.with(|watched| {
        let watched = watched.try_borrow();
        watched.map_or(true, |watched| hash == 0 || watched.contains(&hash))
    });
    if concerns {
        CODE.fetch_add(1, Relaxed);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn on_cast_change(_argument: Datum, _cache: std::ffi::c_int, _hash: u32) {
    CODE.fetch_add(1, Relaxed);
}

#[pg_guard]
unsafe extern "C-unwind" fn on_invalidation(_argument: Datum, relation: Oid) {
    for forget in FORGET.get().copied().unwrap_or_default() {
        forget(relation);
    }
}
