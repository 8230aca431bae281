//! Columns and schemas that were renamed: triggers, queued changes and definitions follow.

use pgrx::pg_sys;

use super::capture_triggers;
use super::command_objects::oids;
use crate::postgres::inheritance;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Value};
use crate::postgres::transaction;
use crate::postgres::triggers::ddl_event::RenamedColumn;
use crate::{capture, statement};

/// Triggers name the columns they capture, and so do changes in the queue: both get the new name. If that is
/// impossible, because the transaction has pending trigger events or changes in memory, a change of all rows
/// is logged.
pub fn follow_column(column: &RenamedColumn) {
    let RenamedColumn { table, before, after } = column;
    let tables = inheritance::inheritors(*table).into_iter().chain([*table]);
    for table in tables {
        let captured = run_internal(|| spi::session(|| capture_triggers::captured_under(table, before)));
        let Some(captured) = captured else { continue };
        let renamed = transaction::attempt(|| {
            run_internal(|| spi::session(|| capture_triggers::rename_column(table, before, after)));
        });
        if !captured.is_key {
            continue;
        }
        if renamed.is_err() || capture::pending_sources().contains(&table) {
            capture::mark_all_rows(table);
        }
        let names = [
            (pg_sys::OIDARRAYOID, Value::of(vec![table])),
            (pg_sys::TEXTOID, Value::of(before.as_str())),
            (pg_sys::TEXTOID, Value::of(after.as_str())),
        ];
        oids(&statement!("triggers_rename_captured"), &names);
    }
}

/// Definitions find a backing view by its name and the name of its schema.
pub fn follow_schemas() {
    oids(&statement!("meta_follow_schema_names"), &[]);
}
