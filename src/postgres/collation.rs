//! Facts about collations from the catalogs.

use pgrx::pg_sys::{self, Oid};

use super::process::memory;

/// How values of a collation are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// The type has no collation.
    None,
    /// Equal values are identical, byte by byte.
    Deterministic,
    /// Values that are not identical may be equal under this collation.
    Nondeterministic(Oid),
}

/// The kind of a collation; `InvalidOid` stands for none.
pub fn of(collation: Oid) -> Collation {
    if collation == Oid::INVALID {
        return Collation::None;
    }
    // SAFETY: catalog look-up inside a transaction.
    if unsafe { pg_sys::get_collation_isdeterministic(collation) } {
        Collation::Deterministic
    } else {
        Collation::Nondeterministic(collation)
    }
}

/// A collation as SQL, valid under any search_path.
pub fn name(collation: Oid) -> Option<String> {
    // SAFETY: returns a palloc'd string.
    unsafe { memory::text_or_none(pg_sys::generate_collation_name(collation)) }
}
