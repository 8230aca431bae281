//! What DDL of users must not change: tables and triggers of the extension, which TVIEWs find by name, and who
//! sees which rows of a TVIEW that has a fresh view.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::command_objects::oids;
use super::{capture_triggers, own_ddl};
use crate::error::Problem;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::statement;

/// Refuses another name, schema or other columns for a table of the extension.
pub fn refuse_altered_own_tables() {
    refuse(
        &statement!("ddl_own_tables_altered"),
        |table| format!("table {table} of pg_tviews cannot be renamed, moved or given other columns"),
        "The table belongs to pg_tviews, which writes it.",
        "Keep columns of your own in another table, and other names in a view.",
    );
}

/// Refuses row security on the table of a TVIEW that has a fresh view, which would not apply it.
pub fn refuse_row_security() {
    refuse(
        &statement!("ddl_row_security"),
        |table| format!("row security of {table} would not apply to its fresh view"),
        "The rows that a fresh view computes from the backing view have no policies.",
        "Drop the fresh view first.",
    );
}

/// Refuses another name for a trigger of the extension.
pub fn refuse_renamed_triggers() {
    refuse(
        &statement!("triggers_renamed"),
        |table| format!("a trigger of pg_tviews on {table} cannot be renamed"),
        "TVIEWs find their triggers by name.",
        "Give your own trigger another name.",
    );
}

/// Refuses a user's trigger that has the name of a trigger of the extension: changes would be lost.
pub fn refuse_replaced_triggers() {
    if !own_ddl::is_running() {
        refuse(
            &statement!("triggers_taken"),
            |table| format!("a trigger of pg_tviews on {table} cannot be created by a user"),
            "TVIEWs follow the table by triggers whose names begin with pg_tviews_.",
            "Give your own trigger another name and another function.",
        );
    }
}

/// Raises an error if the statement returns a table.
fn refuse(sql: &str, message: impl FnOnce(String) -> String, detail: &str, hint: &str) {
    if let Some(table) = oids(sql, &[]).first() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            message(relation::display(*table)),
        )
        .detail(detail)
        .hint(hint)
        .raise();
    }
}

/// Enables capture triggers again that a command has disabled, as DISABLE TRIGGER ALL does: changes would be
/// lost.
pub fn keep_triggers_enabled() {
    for (table, name, disabled) in disabled_triggers() {
        run_internal(|| spi::session(|| capture_triggers::enable(table, &name)));
        if disabled {
            Problem::for_notice(format!(
                "trigger {name} on {} stays enabled: TVIEWs follow the table by it",
                relation::display(table)
            ))
            .notice();
        }
    }
}

/// Capture triggers that do not fire for all writes, each with its table; true for those that fire for none.
fn disabled_triggers() -> Vec<(Oid, String, bool)> {
    run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("triggers_disabled"), Access::Current, &[]);
            (0..rows.len())
                .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?, rows.get(row, 2)?)))
                .collect()
        })
    })
}
