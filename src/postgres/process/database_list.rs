//! The rows of `pg_database`, readable without a connection to any database.

use pgrx::pg_sys;

/// One database.
pub struct Database {
    /// Its oid.
    pub oid: pg_sys::Oid,
    /// Whether background workers may stay connected to it: it accepts connections, is no template, and is
    /// not what a DROP DATABASE that was interrupted has left.
    pub can_have_workers: bool,
}

/// In place of a connection limit: an interrupted DROP DATABASE left it, it can only be dropped.
const INVALID: i32 = -2;

/// Every database; call inside a transaction.
pub fn databases() -> Vec<Database> {
    let mut found = Vec::new();
    // SAFETY: an ordinary sequential scan of a shared catalog under AccessShareLock; each tuple is read
    // before the next is fetched, and pg_database rows have the layout of FormData_pg_database.
    unsafe {
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            found.push(Database {
                oid: (*form).oid,
                can_have_workers: (*form).datallowconn
                    && !(*form).datistemplate
                    && (*form).datconnlimit != INVALID,
            });
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}
