//! One relation cache callback for the whole extension, as a server process has room for ten, and one for
//! functions.

use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};

static FORGET: OnceLock<&'static [fn(Oid)]> = OnceLock::new();

/// Calls each function when the definition of a relation may have changed; `InvalidOid` means any relation.
/// It can come during any catalog access, so the functions must not raise and expect their cache in use.
pub fn register(forget: &'static [fn(Oid)]) {
    if FORGET.set(forget).is_ok() {
        // SAFETY: the callback is a static function that ignores its argument.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), Datum::from(0));
            let functions = pg_sys::SysCacheIdentifier::PROCOID as std::ffi::c_int;
            pg_sys::CacheRegisterSyscacheCallback(functions, Some(on_function_change), Datum::from(0));
        };
    }
}

/// Some function was replaced: what views return may have changed with it.
#[pg_guard]
unsafe extern "C-unwind" fn on_function_change(_argument: Datum, _cache: std::ffi::c_int, _hash: u32) {
    super::relation_changes::note_any();
}

#[pg_guard]
unsafe extern "C-unwind" fn on_invalidation(_argument: Datum, relation: Oid) {
    for forget in FORGET.get().copied().unwrap_or_default() {
        forget(relation);
    }
}
