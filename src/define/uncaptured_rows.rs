//! Rows that appear in or disappear from a source without a capture trigger: with a partition that is
//! attached, detached or dropped, for example.

use pgrx::pg_sys::{self, Oid};

use super::command_objects::oids;
use crate::postgres::spi::Value;
use crate::postgres::{inheritance, relation, table_rows, transaction};
use crate::{capture, statement};

/// Logs a change of all rows for the sources among these tables, so that no session that waits believes all
/// changes to be visible.
pub fn log_all_rows(tables: Vec<Oid>) {
    if !tables.is_empty() {
        let tables = [(pg_sys::OIDARRAYOID, Value::of(tables))];
        let sources = oids(&statement!("sources_among"), &tables);
        sources.into_iter().for_each(capture::mark_all_rows);
    }
}

/// Whether a table, or one that inherits from it, has rows that are visible now.
pub fn tree_holds_rows(table: Oid) -> bool {
    let mut tables = inheritance::inheritors(table).into_iter().chain([table]);
    tables.any(holds_rows)
}

/// Whether a table itself has rows that are visible now. A foreign table counts as if it had.
pub fn holds_rows(table: Oid) -> bool {
    match relation::kind(table) {
        Some('r') => transaction::with_latest_snapshot(|| table_rows::holds_rows(table)).unwrap_or(false),
        kind => kind == Some('f'),
    }
}
