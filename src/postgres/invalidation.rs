//! One relation cache callback for the whole extension, as a server process has room for ten, and one for schemas.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};

static SCHEMAS: AtomicU64 = AtomicU64::new(0);
static FORGET: OnceLock<&'static [fn(Oid)]> = OnceLock::new();

/// Calls each function when the definition of a relation may have changed; `InvalidOid` means any relation.
/// It can come during any catalog access, so the functions must not raise and expect their cache in use.
pub fn register(forget: &'static [fn(Oid)]) {
    if FORGET.set(forget).is_ok() {
        // SAFETY: the callback is a static function that ignores its argument.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), Datum::from(0));
            let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID as std::ffi::c_int;
            pg_sys::CacheRegisterSyscacheCallback(schemas, Some(on_schema_change), Datum::from(0));
        };
    }
}

/// Makes every process look at the definition of a relation again once this transaction commits.
pub fn announce(relation: Oid) {
    // SAFETY: inside a transaction, for a relation that exists in its view of the catalogs.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

/// Some schema was made or renamed: the texts of our statements name schemas.
#[pg_guard]
unsafe extern "C-unwind" fn on_schema_change(_argument: Datum, _cache: std::ffi::c_int, _hash: u32) {
    SCHEMAS.fetch_add(1, Relaxed);
    super::relation_changes::note_any();
}

/// Grows whenever a schema may have been renamed.
pub fn schemas() -> u64 {
    SCHEMAS.load(Relaxed)
}

#[pg_guard]
unsafe extern "C-unwind" fn on_invalidation(_argument: Datum, relation: Oid) {
    for forget in FORGET.get().copied().unwrap_or_default() {
        forget(relation);
    }
}
