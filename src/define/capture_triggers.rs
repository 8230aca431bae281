//! The capture triggers of a source: made, widened, removed.
//!
//! One argument names what is captured and what is watched, the union over the TVIEWs that read the source.
//! It only grows while any of them exists: a narrower need costs little, a lock on the source does.

use std::collections::BTreeSet;

use pgrx::pg_sys::{self, Oid};
use serde_json::{json, Value as Json};

use super::own_ddl;
use crate::catalog::statements;
use crate::lineage::{Lineage, Source};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{extension, quote, relation, transaction};
use crate::statement;

const ROW_TRIGGER: &str = "pg_tviews_capture";
const TRUNCATE_TRIGGER: &str = "pg_tviews_capture_truncate";
const ROW_EVENTS: &str = "INSERT OR UPDATE OR DELETE";

/// What a trigger captures.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns {
    keys: BTreeSet<String>,
    /// None: every column.
    watch: Option<BTreeSet<String>>,
    /// Updates that change no column as well.
    every_update: bool,
}

impl Columns {
    fn nothing() -> Columns {
        Columns {
            keys: BTreeSet::new(),
            watch: Some(BTreeSet::new()),
            every_update: false,
        }
    }

    fn union(self, other: Columns) -> Columns {
        Columns {
            keys: self.keys.union(&other.keys).cloned().collect(),
            watch: self
                .watch
                .zip(other.watch)
                .map(|(a, b)| a.union(&b).cloned().collect()),
            every_update: self.every_update || other.every_update,
        }
    }

    fn mentions(&self, column: &str) -> bool {
        let watch = self.watch.as_ref();
        self.keys.contains(column) || watch.is_some_and(|watch| watch.contains(column))
    }

    fn renamed(mut self, before: &str, after: &str) -> Columns {
        for names in [Some(&mut self.keys), self.watch.as_mut()].into_iter().flatten() {
            if names.remove(before) {
                names.insert(after.to_string());
            }
        }
        self
    }

    fn argument(&self) -> String {
        let mut argument = json!({ "keys": self.keys, "watch": self.watch });
        if self.every_update {
            argument["every_update"] = true.into();
        }
        argument.to_string()
    }

    fn parse(argument: &str) -> Option<Columns> {
        let json: Json = serde_json::from_str(argument).ok()?;
        let names = |value: &Json| -> Option<BTreeSet<String>> {
            value
                .as_array()?
                .iter()
                .map(|name| name.as_str().map(str::to_string))
                .collect()
        };
        Some(Columns {
            keys: names(&json["keys"])?,
            watch: names(&json["watch"]),
            every_update: json["every_update"] == true,
        })
    }
}

/// Makes sure a source captures what a TVIEW needs. The caller holds a lock on it that keeps writers out, so
/// that no writer in flight works by the old argument. With internal rights, inside an SPI session.
pub fn install(source: &Source) {
    if let Some(columns) = lacking(source) {
        let (name, argument) = (row_trigger(source.relation), columns.argument());
        create(source.relation, &name, ROW_EVENTS, "ROW", &argument);
    }
    // What is there is not touched: somebody may be about to drop it.
    for table in without_truncate_trigger(source) {
        let argument = Columns::nothing().argument();
        create(table, TRUNCATE_TRIGGER, "TRUNCATE", "STATEMENT", &argument);
    }
}

/// The tables that [`install`] puts a trigger on, or a wider one: writers have to be kept out of these. Partitions get a copy
/// of the row trigger. With internal rights.
pub fn wanting(source: &Source) -> Vec<Oid> {
    spi::session(|| match lacking(source) {
        Some(_) => source
            .partitions
            .iter()
            .copied()
            .chain([source.relation])
            .collect(),
        None => without_truncate_trigger(source),
    })
}

/// The sources of which some change is not captured as a TVIEW needs it. With internal rights.
pub fn unfollowed(lineage: &Lineage) -> Vec<Oid> {
    spi::session(|| {
        let sources = lineage.sources.iter();
        let lacking = sources.filter(|source| lacking(source).is_some());
        lacking.map(|source| source.relation).collect()
    })
}

/// Whether every trigger a TVIEW needs is there and fires. With internal rights.
pub fn complete(lineage: &Lineage) -> bool {
    spi::session(|| {
        let mut sources = lineage.sources.iter();
        sources.all(|source| lacking(source).is_none() && without_truncate_trigger(source).is_empty())
    })
}

/// How a table's trigger captures a column.
pub struct Captured {
    /// Changes are told by its value.
    pub is_key: bool,
}

/// How a table's own trigger captures the column of that name; None if there is none that does. With internal rights, inside
/// an SPI session.
pub fn captured_under(table: Oid, column: &str) -> Option<Captured> {
    let columns = installed(table).filter(|columns| columns.mentions(column))?;
    Some(Captured {
        is_key: columns.keys.contains(column),
    })
}

/// Has a table's own trigger name a column as it is called now. With internal rights, inside an SPI session.
pub fn rename_column(table: Oid, before: &str, after: &str) {
    if let Some(columns) = installed(table) {
        let argument = columns.renamed(before, after).argument();
        create(table, &row_trigger(table), ROW_EVENTS, "ROW", &argument);
    }
}

/// Removes a table's triggers that nobody needs any more. The caller holds a lock on it that keeps everybody out: only now
/// is it certain that nobody is about to need them. With internal rights, inside an SPI session.
pub fn remove_unused(table: Oid) {
    for (_, name) in transaction::with_latest_snapshot(unused)
        .iter()
        .filter(|(of, _)| *of == table)
    {
        if let Some(table) = relation::qualified_name(table) {
            execute(&format!("DROP TRIGGER {} ON {table}", quote::identifier(name)));
        }
    }
}

/// Tables with triggers that nobody needs any more. With internal rights, inside an SPI session.
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

/// What the triggers must capture, if they do not yet.
fn lacking(source: &Source) -> Option<Columns> {
    let needed = Columns {
        keys: source.captured(),
        watch: source.watched.clone(),
        every_update: !source.versions.is_empty(),
    };
    let installed = installed(source.relation);
    let columns = match &installed {
        Some(installed) => needed.union(installed.clone()),
        None => needed,
    };
    (installed.as_ref() != Some(&columns)).then_some(columns)
}

/// The name of a source's row trigger. Partitions get a trigger of the same name from the table above, so that
/// no two tables in one tree may use the same. One that is there keeps its name: a dump brings it with the number the
/// table had where it was taken.
fn row_trigger(source: Oid) -> String {
    if relation::kind(source) != Some('p') {
        return ROW_TRIGGER.to_string();
    }
    let existing = spi::run(
        "SELECT tgname::text FROM pg_catalog.pg_trigger
          WHERE tgrelid = $1 AND tgtype & 1 <> 0 AND tgparentid = 0 AND tgfoid = $2::pg_catalog.regprocedure",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(source)),
            (pg_sys::TEXTOID, Value::of(format!("{}()", function()))),
        ],
    );
    let own = format!("{ROW_TRIGGER}_{}", source.to_u32());
    existing.one::<String>().unwrap_or(own)
}

fn function() -> String {
    format!("{}.pg_tviews_capture", statements::schema())
}

fn create(oid: Oid, name: &str, event: &str, each: &str, argument: &str) {
    let Some(table) = relation::qualified_name(oid) else {
        return;
    };
    let (quoted, function) = (quote::identifier(name), function());
    let argument = quote::literal(argument);
    execute(&format!(
        "CREATE OR REPLACE TRIGGER {quoted} AFTER {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}({argument})"
    ));
    enable(oid, name);
    extension::take_along(oid, name);
}

/// Replication and restore scripts write with session_replication_role = replica. With internal rights, inside an SPI
/// session.
pub fn enable(table: Oid, name: &str) {
    if let Some(table) = relation::qualified_name(table) {
        let name = quote::identifier(name);
        execute(&format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"));
    }
}

/// Tables that need a TRUNCATE trigger and have none. TRUNCATE of a partition fires no trigger of the tables above it:
/// each needs one of its own.
fn without_truncate_trigger(source: &Source) -> Vec<Oid> {
    let tables: Vec<Oid> = source
        .partitions
        .iter()
        .copied()
        .chain([source.relation])
        .collect();
    let rows = spi::run(
        "SELECT c.oid FROM pg_catalog.pg_class c
          WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'p')
            AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                             WHERE t.tgrelid = c.oid AND t.tgname = $2 AND t.tgenabled = 'A')
          ORDER BY c.oid",
        Access::Current,
        &[
            (pg_sys::OIDARRAYOID, Value::of(tables)),
            (pg_sys::TEXTOID, Value::of(TRUNCATE_TRIGGER)),
        ],
    );
    (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
}

fn installed(source: Oid) -> Option<Columns> {
    let rows = spi::run(
        "SELECT convert_from(substring(tgargs FROM 1 FOR octet_length(tgargs) - 1), getdatabaseencoding())
           FROM pg_catalog.pg_trigger
          WHERE tgrelid = $1 AND tgname = $2 AND tgenabled = 'A' AND tgnargs = 1
            -- The copies of partitions can be disabled one by one.
            AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree($1) tree
                              JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.relid
                             WHERE t.tgname = $2 AND t.tgenabled <> 'A')",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(source)),
            (pg_sys::TEXTOID, Value::of(row_trigger(source))),
        ],
    );
    Columns::parse(&rows.one::<String>()?)
}

fn execute(sql: &str) {
    own_ddl::ours(|| spi::run(sql, Access::Current, &[]));
}
