//! The capture triggers of a source: made, widened, removed.
//!
//! One argument names what is captured and what is watched, the union over the TVIEWs that read the source.
//! It only grows while any of them exists: a narrower need costs little, a lock on the source does.

use std::collections::BTreeSet;

use pgrx::pg_sys::{self, Oid};
use serde_json::{json, Value as Json};

use super::statements;
use crate::lineage::Source;
use crate::postgres::relation;
use crate::postgres::spi::{self, Access, Value};

const ROW_TRIGGER: &str = "pg_tviews_capture";
const TRUNCATE_TRIGGER: &str = "pg_tviews_capture_truncate";

/// What a trigger captures.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns {
    keys: BTreeSet<String>,
    /// None: every column.
    watch: Option<BTreeSet<String>>,
}

impl Columns {
    fn union(self, other: Columns) -> Columns {
        Columns {
            keys: self.keys.union(&other.keys).cloned().collect(),
            watch: self
                .watch
                .zip(other.watch)
                .map(|(a, b)| a.union(&b).cloned().collect()),
        }
    }

    fn argument(&self) -> String {
        json!({ "keys": self.keys, "watch": self.watch }).to_string()
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
        })
    }
}

/// Makes sure a source captures what a TVIEW needs. The caller holds a lock on it that keeps writers out, so
/// that no writer in flight works by the old argument. With internal rights, inside an SPI session.
pub fn install(source: &Source) {
    let Some(columns) = lacking(source) else {
        return;
    };
    let Some(table) = relation::qualified_name(source.relation) else {
        return;
    };
    let function = format!("{}.pg_tviews_capture", statements::schema());
    let argument = relation::quote_literal(&columns.argument());
    for (name, event, each) in [
        (ROW_TRIGGER, "INSERT OR UPDATE OR DELETE", "ROW"),
        (TRUNCATE_TRIGGER, "TRUNCATE", "STATEMENT"),
    ] {
        execute(&format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}({argument})"
        ));
        // Replication and restore scripts write with session_replication_role = replica.
        execute(&format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"));
        // DROP EXTENSION takes the triggers along.
        execute(&format!(
            "ALTER TRIGGER {name} ON {table} DEPENDS ON EXTENSION pg_tviews"
        ));
    }
}

/// Whether a source captures all that a TVIEW needs already. With internal rights.
pub fn sufficient(source: &Source) -> bool {
    spi::session(|| lacking(source).is_none())
}

/// What the triggers must capture, if they do not yet.
fn lacking(source: &Source) -> Option<Columns> {
    let needed = Columns {
        keys: source.captured(),
        watch: source.watched.clone(),
    };
    let installed = installed(source.relation);
    let columns = match &installed {
        Some(installed) => needed.union(installed.clone()),
        None => needed,
    };
    (installed.as_ref() != Some(&columns)).then_some(columns)
}

/// Removes the triggers of a source nobody reads any more. With internal rights, inside an SPI session.
pub fn remove(source: Oid) {
    let Some(table) = relation::qualified_name(source) else {
        return;
    };
    for name in [ROW_TRIGGER, TRUNCATE_TRIGGER] {
        execute(&format!("DROP TRIGGER IF EXISTS {name} ON {table}"));
    }
}

fn installed(source: Oid) -> Option<Columns> {
    let rows = spi::run(
        "SELECT convert_from(substring(tgargs FROM 1 FOR octet_length(tgargs) - 1), getdatabaseencoding())
           FROM pg_catalog.pg_trigger
          WHERE tgrelid = $1 AND tgname = $2 AND tgenabled = 'A' AND tgnargs = 1
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t
                         WHERE t.tgrelid = $1 AND t.tgname = $3 AND t.tgenabled = 'A')",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(source)),
            (pg_sys::TEXTOID, Value::of(ROW_TRIGGER)),
            (pg_sys::TEXTOID, Value::of(TRUNCATE_TRIGGER)),
        ],
    );
    Columns::parse(&rows.one::<String>()?)
}

fn execute(sql: &str) {
    spi::run(sql, Access::Current, &[]);
}
