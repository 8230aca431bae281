//! Facts about roles.

use pgrx::pg_sys::{self, Oid};

use super::process::memory;
use super::quote;

/// The role that is current now.
pub fn current_role() -> Oid {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::GetUserId() }
}

/// Whether the session, or the role that is current now, is a superuser.
pub fn is_privileged() -> bool {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe { pg_sys::superuser() || pg_sys::superuser_arg(pg_sys::GetSessionUserId()) }
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

/// A role's name, quoted where needed.
pub fn name(role: Oid) -> String {
    // SAFETY: returns a palloc'd string, or NULL for a role that is gone.
    let name = unsafe { memory::text_or_none(pg_sys::GetUserNameFromId(role, true)) };
    name.map(|name| quote::identifier(&name))
        .unwrap_or_else(|| role.to_u32().to_string())
}
