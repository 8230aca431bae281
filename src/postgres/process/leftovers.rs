//! What functions called by views can leave in the process they ran in, although they ran restricted:
//! advisory locks of the session, and functions and types in its temporary schema. (Settings go with
//! [`crate::postgres::run_as::run_restricted`].)

use pgrx::pg_sys::{self, Oid};

use crate::postgres::transaction::worker_transaction::short_transaction;

/// Removes them. In a background worker, outside any transaction.
pub fn remove() {
    // SAFETY: what pg_advisory_unlock_all() does; needs no transaction.
    unsafe { pg_sys::LockReleaseSession(pg_sys::USER_LOCKMETHOD as pg_sys::LOCKMETHODID) };
    let mut schema = Oid::INVALID;
    let mut toast = Oid::INVALID;
    // SAFETY: reads backend-local variables.
    unsafe { pg_sys::GetTempNamespaceState(&mut schema, &mut toast) };
    if schema != Oid::INVALID {
        // SAFETY: what DISCARD TEMP does, in a transaction.
        short_transaction(|| unsafe { pg_sys::ResetTempTableNamespace() });
    }
}
