//! The write guard of a tv table: a statement trigger that refuses direct writes, unless
//! pg_tviews.allow_table_writes is on. The arguments of the trigger name the maintained columns. With `UPDATE
//! OF`, these columns could not be dropped, nor their types changed.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::own_ddl;
use crate::catalog::{definition, statements};
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::write_guard::{Operation, WriteGuardCall};
use crate::postgres::{extension, quote, relation};
use crate::refresh::plan::shape::Shape;
use crate::{capture, settings, statement};

const GUARD: &str = "pg_tviews_guard";
const TRUNCATE_GUARD: &str = "pg_tviews_guard_truncate";

/// Creates the triggers of a tv table, or replaces them if other columns are maintained now. With internal
/// rights, inside an SPI session.
pub fn install(tview: Oid, shape: &Shape) {
    let maintained: Vec<String> = shape.maintained().collect();
    if !is_guarded(tview, &maintained) {
        create(
            tview,
            GUARD,
            "BEFORE INSERT OR UPDATE OR DELETE",
            &shape.table,
            &maintained,
        );
        create(tview, TRUNCATE_GUARD, "AFTER TRUNCATE", &shape.table, &[]);
    }
}

/// Whether [`install`] has anything to do: if so, writers have to be kept out of the table. With internal
/// rights.
pub fn needs_install(tview: Oid, shape: &Shape) -> bool {
    let maintained: Vec<String> = shape.maintained().collect();
    spi::session(|| !is_guarded(tview, &maintained))
}

/// Drops the triggers. With internal rights, inside an SPI session.
pub fn remove(tview: Oid) {
    if let Some(table) = relation::qualified_name(tview) {
        for name in [GUARD, TRUNCATE_GUARD] {
            execute(&format!("DROP TRIGGER IF EXISTS {name} ON {table}"));
        }
    }
}

/// Allows or refuses a write. Called by the triggers.
pub fn write(write: &WriteGuardCall) {
    // A write by a trigger or a foreign key of another table must not make the statement on that table fail.
    if write.operation != Operation::Truncate && (settings::allow_table_writes() || write.by_trigger) {
        return;
    }
    if write.operation == Operation::Update
        && write.sets.iter().all(|column| !write.arguments.contains(column))
    {
        return;
    }
    let Some(definition) = run_internal(|| definition::load(write.table)) else {
        return;
    };
    if write.operation == Operation::Truncate {
        // TRUNCATE ... CASCADE of a source must not fail: the rows are computed again.
        return capture::request_refresh(write.table, None);
    }
    let view = format!(
        "{}.{}",
        quote::identifier(&definition.view_schema),
        quote::identifier(&definition.view_name)
    );
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("rows of {} are maintained from the view {view}", definition.display()),
    )
    .detail("Rows written directly are overwritten by the next refresh.")
    .hint("Change the tables that the view reads, or run SET pg_tviews.allow_table_writes = on; to write all the same.")
    .raise();
}

fn create(tview: Oid, name: &str, events: &str, table: &str, columns: &[String]) {
    let columns: Vec<String> = columns.iter().map(|name| quote::literal(name)).collect();
    let columns = columns.join(", ");
    let function = format!("{}.pg_tviews_guard", statements::schema());
    execute(&format!(
        "CREATE OR REPLACE TRIGGER {name} {events} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}({columns})"
    ));
    extension::take_along(tview, name);
}

/// The maintained columns that the trigger names. With internal rights.
pub fn maintained(tview: Oid) -> Vec<String> {
    spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(tview)),
            (pg_sys::TEXTOID, Value::of(GUARD)),
        ];
        spi::run(&statement!("triggers_guarded_columns"), Access::Current, &args).one::<Vec<String>>()
    })
    .unwrap_or_default()
}

/// Whether the triggers exist, for these columns.
fn is_guarded(tview: Oid, columns: &[String]) -> bool {
    let arguments: String = columns.iter().map(|name| format!("{name}\0")).collect();
    let args = [
        (pg_sys::OIDOID, Value::of(tview)),
        (pg_sys::TEXTOID, Value::of(GUARD)),
        (pg_sys::TEXTOID, Value::of(TRUNCATE_GUARD)),
        (pg_sys::BYTEAOID, Value::of(arguments.into_bytes())),
    ];
    !spi::run(&statement!("triggers_guard_exists"), Access::Current, &args).is_empty()
}

fn execute(sql: &str) {
    own_ddl::run(|| spi::run(sql, Access::Current, &[]));
}
