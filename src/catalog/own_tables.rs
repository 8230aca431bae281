//! The tables of the extension that a refresh reads or writes, each with the lock that a refresh takes.

use std::ffi::CStr;

use pgrx::pg_sys::Oid;

use crate::postgres::extension;
use crate::postgres::transaction::lock::TableLock;

const TABLES: [(&CStr, TableLock); 6] = [
    (c"pg_tview_definition", TableLock::RowExclusive),
    (c"pg_tview_meta_audit", TableLock::RowExclusive),
    (c"pg_tview_dead_letter", TableLock::RowExclusive),
    (c"pg_tview_queue", TableLock::AccessShare),
    (c"pg_tview_backlog_part", TableLock::RowExclusive),
    (c"pg_tview_comparison", TableLock::RowExclusive),
];

/// The tables; None while one of them does not exist.
pub fn own_tables() -> Option<Vec<(Oid, TableLock)>> {
    let tables = TABLES.iter();
    tables
        .map(|(name, lock)| Some((extension::relation(name)?, *lock)))
        .collect()
}
