//! What a role may do with a relation.

use pgrx::pg_sys::{self, Oid};

/// Whether a role may SELECT from a relation.
pub fn may_select(role: Oid, relation: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe {
        let result = pg_sys::pg_class_aclcheck(relation, role, pg_sys::ACL_SELECT as pg_sys::AclMode);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether a role may create triggers on a table. False if there is no such table.
pub fn may_add_triggers(role: Oid, table: Oid) -> bool {
    let mut missing = false;
    // SAFETY: catalog look-up inside a transaction.
    unsafe {
        let trigger = pg_sys::ACL_TRIGGER as pg_sys::AclMode;
        let result = pg_sys::pg_class_aclcheck_ext(table, role, trigger, &raw mut missing);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether policies hide rows of a table from `role`.
pub fn hides_rows_from(table: Oid, role: Oid) -> bool {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe { pg_sys::check_enable_rls(table, role, true) == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32 }
}
