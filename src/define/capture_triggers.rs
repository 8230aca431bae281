//! The capture triggers of a source: installed, widened, removed.
//!
//! A trigger captures the union of what the TVIEWs that read the source need. While any of these TVIEWs
//! exists, the union only grows: capturing too much costs little, but narrowing a trigger takes a lock on the
//! source.

use pgrx::pg_sys::{self, Oid};

use super::captured_columns::CapturedColumns;
use super::own_ddl;
use crate::catalog::statements;
use crate::lineage::{Lineage, Source};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{extension, quote, relation, transaction};
use crate::statement;

const ROW_TRIGGER: &str = "pg_tviews_capture";
const TRUNCATE_TRIGGER: &str = "pg_tviews_capture_truncate";
const ROW_EVENTS: &str = "INSERT OR UPDATE OR DELETE";

/// Makes sure a source captures what a TVIEW needs. The caller holds a lock on the source that keeps writers
/// out, so that no write in progress uses the old argument. With internal rights, inside an SPI session.
pub fn install(source: &Source) {
    if let Some(columns) = to_capture(source) {
        let (name, argument) = (row_trigger(source.relation), columns.argument());
        create(source.relation, &name, ROW_EVENTS, "ROW", &argument);
    }
    // A trigger that exists is not replaced: another session may be about to drop it.
    for table in without_truncate_trigger(source) {
        let argument = CapturedColumns::nothing().argument();
        create(table, TRUNCATE_TRIGGER, "TRUNCATE", "STATEMENT", &argument);
    }
}

/// The tables on which [`install`] creates or replaces a trigger: writers have to be kept out of them.
/// Partitions get a copy of the row trigger. With internal rights.
pub fn to_install(source: &Source) -> Vec<Oid> {
    spi::session(|| match to_capture(source) {
        Some(_) => with_partitions(source),
        None => without_truncate_trigger(source),
    })
}

/// The sources whose changes are not all captured as a TVIEW needs them. With internal rights.
pub fn uncaptured_sources(lineage: &Lineage) -> Vec<Oid> {
    spi::session(|| {
        let sources = lineage.sources.iter();
        let uncaptured = sources.filter(|source| to_capture(source).is_some());
        uncaptured.map(|source| source.relation).collect()
    })
}

/// Whether every trigger that a TVIEW needs exists and fires. With internal rights.
pub fn complete(lineage: &Lineage) -> bool {
    spi::session(|| {
        let mut sources = lineage.sources.iter();
        sources.all(|source| to_capture(source).is_none() && without_truncate_trigger(source).is_empty())
    })
}

/// How a table's trigger captures a column.
pub struct Captured {
    /// Whether the column is part of the change key.
    pub is_key: bool,
}

/// How the table's own trigger captures the column of that name; None if it does not. With internal rights,
/// inside an SPI session.
pub fn captured_under(table: Oid, column: &str) -> Option<Captured> {
    let columns = installed(table).filter(|columns| columns.mentions(column))?;
    Some(Captured {
        is_key: columns.keys.contains(column),
    })
}

/// Gives a renamed column its new name in the argument of the table's own trigger. With internal rights,
/// inside an SPI session.
pub fn rename_column(table: Oid, before: &str, after: &str) {
    if let Some(columns) = installed(table) {
        let argument = columns.renamed(before, after).argument();
        create(table, &row_trigger(table), ROW_EVENTS, "ROW", &argument);
    }
}

/// Removes the triggers of a table that no TVIEW needs any more. The caller holds an exclusive lock on the
/// table: only then no session can be about to need them. With internal rights, inside an SPI session.
pub fn remove_unused(table: Oid) {
    let unused = transaction::with_latest_snapshot(unused);
    for (_, name) in unused.iter().filter(|(of, _)| *of == table) {
        if let Some(table) = relation::qualified_name(table) {
            execute(&format!("DROP TRIGGER {} ON {table}", quote::identifier(name)));
        }
    }
}

/// Tables with triggers that no TVIEW needs any more. With internal rights, inside an SPI session.
pub fn with_unused() -> Vec<Oid> {
    let mut tables: Vec<Oid> = unused().into_iter().map(|(table, _)| table).collect();
    tables.dedup();
    tables
}

fn unused() -> Vec<(Oid, String)> {
    let rows = spi::run(&statement!("triggers_unused"), Access::Current, &[]);
    (0..rows.len())
        .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
        .collect()
}

/// The columns that the row trigger has to capture; None if the present trigger captures them.
fn to_capture(source: &Source) -> Option<CapturedColumns> {
    let needed = CapturedColumns::needed(source);
    let installed = installed(source.relation);
    let columns = match &installed {
        Some(installed) => needed.union(installed.clone()),
        None => needed,
    };
    (installed.as_ref() != Some(&columns)).then_some(columns)
}

/// The name of a source's row trigger. The trigger of a partitioned table has a name of its own, as
/// partitions get a trigger of the same name. An existing trigger keeps its name: the number in a restored
/// one is the OID that the table had when it was dumped.
fn row_trigger(source: Oid) -> String {
    if relation::kind(source) != Some('p') {
        return ROW_TRIGGER.to_string();
    }
    let args = [(pg_sys::OIDOID, Value::of(source))];
    let existing = spi::run(&statement!("triggers_row_trigger_name"), Access::Current, &args);
    let own = format!("{ROW_TRIGGER}_{}", source.to_u32());
    existing.one::<String>().unwrap_or(own)
}

fn create(oid: Oid, name: &str, event: &str, each: &str, argument: &str) {
    let Some(table) = relation::qualified_name(oid) else {
        return;
    };
    let quoted = quote::identifier(name);
    let function = format!("{}.pg_tviews_capture", statements::schema());
    let argument = quote::literal(argument);
    execute(&format!(
        "CREATE OR REPLACE TRIGGER {quoted} AFTER {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}({argument})"
    ));
    enable(oid, name);
    extension::take_along(oid, name);
}

/// Has a trigger fire for all writes: replication and restore scripts write with session_replication_role =
/// replica. With internal rights, inside an SPI session.
pub fn enable(table: Oid, name: &str) {
    if let Some(table) = relation::qualified_name(table) {
        let name = quote::identifier(name);
        execute(&format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"));
    }
}

/// Tables that need a TRUNCATE trigger and have none. TRUNCATE of a partition fires no trigger of the
/// partitioned table: each partition needs a trigger of its own.
fn without_truncate_trigger(source: &Source) -> Vec<Oid> {
    let args = [
        (pg_sys::OIDARRAYOID, Value::of(with_partitions(source))),
        (pg_sys::TEXTOID, Value::of(TRUNCATE_TRIGGER)),
    ];
    let rows = spi::run(&statement!("triggers_without_truncate"), Access::Current, &args);
    (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
}

fn with_partitions(source: &Source) -> Vec<Oid> {
    let partitions = source.partitions.iter().copied();
    partitions.chain([source.relation]).collect()
}

/// The columns that the present row trigger captures.
fn installed(source: Oid) -> Option<CapturedColumns> {
    let args = [
        (pg_sys::OIDOID, Value::of(source)),
        (pg_sys::TEXTOID, Value::of(row_trigger(source))),
    ];
    let rows = spi::run(&statement!("triggers_argument"), Access::Current, &args);
    CapturedColumns::parse(&rows.one::<String>()?)
}

fn execute(sql: &str) {
    own_ddl::run(|| spi::run(sql, Access::Current, &[]));
}
