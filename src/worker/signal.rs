//! Stand-in until the workers exist: writers signal nobody.

use pgrx::pg_sys::Oid;

pub fn committed(_sources: &[Oid]) {}

pub fn catalog_changed() {}

pub fn everything_changed() {}

pub fn draining() -> bool {
    false
}
