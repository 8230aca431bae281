//! NOT NULL is a constraint from PostgreSQL 18 on. One that is NOT VALID does not hold for the rows that
//! were there before, although the column counts as NOT NULL.

use pgrx::pg_sys::Oid;

/// `Anum_pg_constraint_convalidated` of catalog/pg_constraint_d.h.
#[cfg(feature = "pg18")]
const CONVALIDATED: i16 = 8;

#[cfg(feature = "pg18")]
extern "C-unwind" {
    fn findNotNullConstraintAttnum(relation: Oid, attno: i16) -> pgrx::pg_sys::HeapTuple;
}

/// Whether the NOT NULL of a column holds for all rows.
///
/// # Safety
/// Inside a transaction, for a column that counts as NOT NULL.
pub unsafe fn holds_for_all_rows(relation: Oid, attno: i16) -> bool {
    #[cfg(not(feature = "pg18"))]
    {
        let _ = (relation, attno);
        true
    }
    // SAFETY: as the caller promises; the tuple is a copy.
    #[cfg(feature = "pg18")]
    unsafe {
        use pgrx::pg_sys;
        let tuple = pg_sys::ffi::pg_guard_ffi_boundary(|| findNotNullConstraintAttnum(relation, attno));
        if tuple.is_null() {
            // A catalog, whose columns have no constraints.
            return true;
        }
        let cache = pg_sys::SysCacheIdentifier::CONSTROID as i32;
        let mut is_null = false;
        let validated = pg_sys::SysCacheGetAttr(cache, tuple, CONVALIDATED, &mut is_null);
        let valid = validated.value() != 0;
        pg_sys::heap_freetuple(tuple);
        valid
    }
}
