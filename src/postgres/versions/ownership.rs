//! Who owns a database. PostgreSQL 16 has one function for all kinds of objects in place of one per kind.

use pgrx::pg_sys::{self, Oid};

/// Whether a role has the rights of the owner of a database.
pub fn owns_database(role: Oid, database: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::pg_database_ownercheck(database, role);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, database, role);
    }
}
