//! The right to read a table. From PostgreSQL 16 on, a query keeps the rights in a list beside its range
//! table, and entries of the range table point into the list.

use pgrx::pg_sys;

#[cfg(not(feature = "pg15"))]
use crate::postgres::role;

/// Leaves the rights of an entry, which moves into a query within, to the entry that stays.
///
/// # Safety
/// The entry belongs to the caller.
pub unsafe fn leave(entry: *mut pg_sys::RangeTblEntry) {
    #[cfg(feature = "pg15")]
    let _ = entry;
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*entry).perminfoindex = 0;
    }
}

/// Drops the rights that a query is to be read with.
///
/// # Safety
/// The query belongs to the caller, and is not planned.
pub unsafe fn forget(query: *mut pg_sys::Query) {
    #[cfg(feature = "pg15")]
    let _ = query;
    // SAFETY: as the caller promises.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        (*query).rteperminfos = std::ptr::null_mut();
    }
}

/// The role of a query needs no right to read a table.
///
/// # Safety
/// The entry is one of the query, which belongs to the caller.
pub unsafe fn free(query: *mut pg_sys::Query, entry: *mut pg_sys::RangeTblEntry) {
    #[cfg(feature = "pg15")]
    let _ = query;
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*entry).requiredPerms = 0;
        }
        // What is in the list has to ask for some right: it does on behalf of a role that has all.
        #[cfg(not(feature = "pg15"))]
        {
            let asked = pg_sys::getRTEPermissionInfo((*query).rteperminfos, entry);
            (*asked).checkAsUser = role::superuser();
        }
    }
}

/// An entry that is no table any more asks for no rights.
///
/// # Safety
/// The entry belongs to the caller.
pub unsafe fn none_needed(entry: *mut pg_sys::RangeTblEntry) {
    #[cfg(not(feature = "pg15"))]
    let _ = entry;
    // SAFETY: as the caller promises.
    #[cfg(feature = "pg15")]
    unsafe {
        (*entry).requiredPerms = 0;
    }
}

/// Raises the ERROR of a query that its role may not run.
///
/// # Safety
/// A valid plan.
pub unsafe fn check(plan: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::ExecCheckRTPerms((*plan).rtable, true);
        #[cfg(not(feature = "pg15"))]
        pg_sys::ExecCheckPermissions((*plan).rtable, (*plan).permInfos, true);
    }
}
