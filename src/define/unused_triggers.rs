//! Capture triggers that no TVIEW needs any more are removed.

use pgrx::pg_sys::Oid;

use super::{capture_triggers, definition_row, patience};
use crate::catalog::definition;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi;
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::postgres::transaction::{self, Driver};

/// Removes the unused triggers of those tables that no other session has locked. The triggers of other tables
/// are left to housekeeping.
pub fn remove_where_unlocked(tables: &[Oid]) {
    for table in tables {
        let _ = transaction::attempt(|| {
            if lock::try_table(*table, TableLock::AccessExclusive) == Attempt::Locked {
                run_internal(|| spi::session(|| capture_triggers::remove_unused(*table)));
            }
        });
    }
}

/// Removes all unused triggers, those of each table in a transaction of their own. No table stays locked
/// while the lock of another is waited for. `wait`: waits a moment for the lock of a table in use, and other
/// sessions queue behind. Otherwise tables in use are skipped. Returns how many tables were in use. Outside a
/// transaction.
pub fn remove(driver: Driver, wait: bool) -> usize {
    let tables = driver.transaction(|| {
        transaction::with_snapshot(|| {
            definition::table().map_or(Vec::new(), |_| {
                definition_row::delete_dropped();
                run_internal(|| spi::session(capture_triggers::with_unused))
            })
        })
    });
    let tables = tables.unwrap_or_default().into_iter();
    tables.filter(|table| !remove_from(driver, *table, wait)).count()
}

/// Removes the unused triggers of one table; false if the table was in use.
fn remove_from(driver: Driver, table: Oid, wait: bool) -> bool {
    let removed = driver.transaction(|| {
        let lock = TableLock::AccessExclusive;
        if wait {
            patience::lock_all(&[(table, lock)]);
        } else if lock::try_table(table, lock) != Attempt::Locked {
            return false;
        }
        transaction::with_snapshot(|| {
            run_internal(|| spi::session(|| capture_triggers::remove_unused(table)))
        });
        true
    });
    removed.unwrap_or(false)
}
