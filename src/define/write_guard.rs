//! Who may write a tv table: its refreshes, and sessions that say they want to. A statement trigger refuses others; its
//! arguments name the maintained columns. (Not `UPDATE OF`: such columns could not be dropped, nor their types changed.)

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
use crate::{capture, settings};

const GUARD: &str = "pg_tviews_guard";
const TRUNCATE_GUARD: &str = "pg_tviews_guard_truncate";

/// Puts the triggers on a tv table, or has them watch the columns that are maintained now. With internal rights, inside
/// an SPI session.
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

/// Whether [`install`] has anything to do: writers have to be kept out of the table for it. With internal rights.
pub fn is_wanting(tview: Oid, shape: &Shape) -> bool {
    let maintained: Vec<String> = shape.maintained().collect();
    spi::session(|| !is_guarded(tview, &maintained))
}

/// Takes the triggers away. With internal rights, inside an SPI session.
pub fn remove(tview: Oid) {
    if let Some(table) = relation::qualified_name(tview) {
        for name in [GUARD, TRUNCATE_GUARD] {
            execute(&format!("DROP TRIGGER IF EXISTS {name} ON {table}"));
        }
    }
}

/// Refuses a write, or lets it pass. Called by the triggers.
pub fn write(write: &WriteGuardCall) {
    // Statements about other tables must not fail for what their triggers do, or their foreign keys.
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
        // By TRUNCATE ... CASCADE of a source, perhaps, which must not fail: the rows are made again.
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
    .hint("Change the tables that the view reads, or SET pg_tviews.allow_table_writes = on; to write all the same.")
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

/// The columns that are maintained, as the trigger knows them. With internal rights.
pub fn maintained(tview: Oid) -> Vec<String> {
    spi::session(|| {
        spi::run(
            r"SELECT array_agg(a.attname::text)
                FROM pg_catalog.pg_trigger t
                JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE t.tgrelid = $1 AND t.tgname = $2
                 AND position('\x00'::bytea || convert_to(a.attname, getdatabaseencoding()) || '\x00'::bytea
                              IN '\x00'::bytea || t.tgargs) > 0",
            Access::Current,
            &[
                (pg_sys::OIDOID, Value::of(tview)),
                (pg_sys::TEXTOID, Value::of(GUARD)),
            ],
        )
        .one::<Vec<String>>()
    })
    .unwrap_or_default()
}

/// Whether the triggers are there, for these columns.
fn is_guarded(tview: Oid, columns: &[String]) -> bool {
    let arguments: String = columns.iter().map(|name| format!("{name}\0")).collect();
    let rows = spi::run(
        "SELECT 1 FROM pg_catalog.pg_trigger t
          WHERE t.tgrelid = $1 AND t.tgname = $2 AND t.tgargs = $4
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger o WHERE o.tgrelid = $1 AND o.tgname = $3)",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(tview)),
            (pg_sys::TEXTOID, Value::of(GUARD)),
            (pg_sys::TEXTOID, Value::of(TRUNCATE_GUARD)),
            (pg_sys::BYTEAOID, Value::of(arguments.into_bytes())),
        ],
    );
    !rows.is_empty()
}

fn execute(sql: &str) {
    own_ddl::ours(|| spi::run(sql, Access::Current, &[]));
}
