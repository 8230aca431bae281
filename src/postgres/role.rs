//! Facts about roles.

use pgrx::pg_sys::{self, Oid};

/// The role that is current now.
pub fn current_role() -> Oid {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::GetUserId() }
}

/// Whether `role` has the rights of `member_of` (superusers have all).
pub fn has_rights_of(role: Oid, member_of: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe { pg_sys::has_privs_of_role(role, member_of) }
}

/// Whether SET ROLE makes the session that role, here and now.
pub fn may_become(role: Oid) -> bool {
    // SAFETY: reads backend-local variables; a catalog look-up inside a transaction.
    unsafe {
        let session = pg_sys::GetSessionUserId();
        !pg_sys::InLocalUserIdChange()
            && (pg_sys::superuser_arg(session) || pg_sys::is_member_of_role(session, role))
    }
}

/// The role whose members see all of the monitoring.
pub fn monitoring_role() -> Oid {
    Oid::from(pg_sys::ROLE_PG_MONITOR)
}

/// The role that owns the cluster: the one our own statements run as.
pub fn superuser() -> Oid {
    Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID)
}
