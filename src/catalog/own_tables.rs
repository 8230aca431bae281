//! The tables of the extension that a refresh reads or writes, each with the lock that a refresh takes.

use std::ffi::CStr;

use pgrx::pg_sys::Oid;

use crate::postgres::extension;
use crate::postgres::transaction::lock::TableLock;

const TABLES: [(&CStr, TableLock); 9] = [
    (c"pg_tview_definition", TableLock::RowExclusive),
    (c"pg_tview_meta_audit", TableLock::RowExclusive),
    (c"pg_tview_dead_letter", TableLock::RowExclusive),
    (c"pg_tview_queue", TableLock::AccessShare),
    (c"pg_tview_backlog_part", TableLock::RowExclusive),
    (c"pg_tview_comparison", TableLock::RowExclusive),
    (c"pg_tview_running", TableLock::RowExclusive),
    (c"pg_tview_running_position", TableLock::RowExclusive),
    (c"pg_tview_change", TableLock::RowExclusive),
];
/// How many of these tables the versions before 0.3.0 have.
const BEFORE_0_3: usize = 6;

/// The tables; None while one of them does not exist.
pub fn own_tables() -> Option<Vec<(Oid, TableLock)>> {
    let number = if extension::is_before_0_3() {
        BEFORE_0_3
    } else {
        TABLES.len()
    };
    let tables = TABLES[..number].iter();
    tables
        .map(|(name, lock)| Some((extension::relation(name)?, *lock)))
        .collect()
}
