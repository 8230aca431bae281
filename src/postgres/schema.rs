//! Facts about schemas from the catalogs.

use pgrx::pg_sys::{self, Oid};

use super::process::memory;

/// The name of a schema.
pub fn name(schema: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    unsafe { memory::text_or_none(pg_sys::get_namespace_name(schema)) }
}

/// The schemas of the session's search_path that exist, in order.
pub fn search_path() -> Vec<Oid> {
    // SAFETY: inside a transaction; a list of OIDs, copied here.
    unsafe {
        let path = pg_sys::fetch_search_path(false);
        if path.is_null() {
            return Vec::new();
        }
        (0..(*path).length)
            .map(|n| pg_sys::list_nth_oid(path, n))
            .collect()
    }
}
