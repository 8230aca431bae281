//! Checksums of all that the rows of a TVIEW depend on, besides the rows of its sources.
//!
//! If they differ from the registered ones, the TVIEW is registered again. Its rows are compared only if the
//! difference can change a row.

use std::collections::BTreeSet;
use std::fmt;

use pgrx::pg_sys::{self, Oid};

use super::shape::Shape;
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::session_statement::SessionStatement;
use crate::error::Problem;
use crate::lineage::{Lineage, Source};
use crate::postgres::query_tree::image_of_view;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{Access, Rows, Value};
use crate::postgres::transaction;
use crate::statement;

thread_local! {
    static STATEMENT: SessionStatement = const { SessionStatement::new() };
}

/// How a TVIEW differs from its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    None,
    /// No row can differ.
    Harmless,
    /// Rows may differ.
    Rows,
}

/// Checksums of what a TVIEW depends on.
pub struct Fingerprint {
    /// Of all that can change a row.
    rows: String,
    /// Of how changes are followed.
    lineage: String,
    /// Of the labels of enum types in the view. A new label changes no row.
    labels: Labels,
    /// Of the labels that existed when the TVIEW was registered.
    known_labels: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Labels {
    count: i64,
    checksum: String,
}

impl Fingerprint {
    /// The fingerprint of view, columns, lineage, and of all catalog entries that values are computed with.
    /// Inside an SPI session.
    pub fn of(definition: &Definition, shape: &Shape, lineage: &Lineage, view: Oid) -> Fingerprint {
        let (image, views) = image_of_view(view);
        let known = Registered::parse(&definition.hash).map_or(0, |registered| registered.labels.count);
        let tables = lineage.sources.iter();
        let tables: Vec<Oid> = tables
            .flat_map(|source| source.partitions.iter().copied().chain([source.relation]))
            .collect();
        let configuration = definition
            .pinned
            .iter()
            .find(|(name, _)| name == "default_text_search_config")
            .map(|(_, value)| value.as_str());
        use pg_sys::{INT8OID, OIDARRAYOID, OIDOID, TEXTOID};
        let types = [
            OIDARRAYOID,
            OIDARRAYOID,
            OIDOID,
            TEXTOID,
            TEXTOID,
            TEXTOID,
            INT8OID,
            TEXTOID,
        ];
        let arguments = [
            Value::of(views),
            Value::of(tables),
            Value::of(definition.tview),
            Value::of(image),
            Value::of(taken(definition, shape, view)),
            Value::of(followed(lineage)),
            Value::of(known),
            Value::of(configuration),
        ];
        // The statement locks many catalogs and their indexes. These locks are released: a transaction can
        // take only so many.
        let read = run_internal(|| {
            transaction::probe(|| {
                let statement = STATEMENT.with(|s| s.get(|| statement!("fingerprint"), &types));
                Fingerprint::read(&statement.run(Access::Current, &arguments, 1))
            })
        });
        read.unwrap_or_else(|caught| Problem::from(caught).raise())
    }

    fn read(rows: &Rows) -> Fingerprint {
        let text = |column| rows.get::<String>(0, column).unwrap_or_default();
        Fingerprint {
            rows: short(text(0)),
            known_labels: short(text(1)),
            labels: Labels {
                checksum: short(text(2)),
                count: rows.get(0, 3).unwrap_or(0),
            },
            lineage: short(text(4)),
        }
    }

    /// Compares with the registered fingerprint, as text.
    pub fn compare(&self, registered: &str) -> Difference {
        if registered == self.to_string() {
            return Difference::None;
        }
        match Registered::parse(registered) {
            Some(registered)
                if registered.rows == self.rows && registered.labels.checksum == self.known_labels =>
            {
                Difference::Harmless
            }
            _ => Difference::Rows,
        }
    }
}

/// The text that is registered.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Labels { count, checksum } = &self.labels;
        write!(f, "{}-{}-{count}-{checksum}", self.rows, self.lineage)
    }
}

/// The parts of a registered fingerprint that are compared one by one.
struct Registered<'a> {
    rows: &'a str,
    labels: Labels,
}

impl<'a> Registered<'a> {
    fn parse(text: &'a str) -> Option<Registered<'a>> {
        let mut parts = text.split('-');
        let (rows, _lineage) = (parts.next()?, parts.next()?);
        let labels = Labels {
            count: parts.next()?.parse().ok()?,
            checksum: parts.next()?.to_string(),
        };
        Some(Registered { rows, labels })
    }
}

/// Shortens a SHA-256: this much is distinct.
fn short(mut checksum: String) -> String {
    checksum.truncate(32);
    checksum
}

/// Which columns of the view become which columns of the table. With their names only where a document has
/// them.
fn taken(definition: &Definition, shape: &Shape, view: Oid) -> String {
    let (in_view, in_table) = (columns::of(view), columns::of(definition.tview));
    let described = |column: &Column| {
        format!(
            "{} {} {} {}",
            column.number,
            column.type_oid.to_u32(),
            column.modifier,
            column.collation.to_u32()
        )
    };
    let find = |columns: &[Column], name: &str| {
        let found = columns.iter().find(|column| column.name == name);
        found.map(described).unwrap_or_default()
    };
    let mut lines = vec![format!("key {}", shape.key.len())];
    lines.extend(shape.maintained().map(|name| {
        let from = match find(&in_view, &name) {
            from if from.is_empty() => {
                let columns = in_view
                    .iter()
                    .map(|column| format!("{} {:?}", described(column), column.name));
                columns.collect::<Vec<_>>().join(", ")
            }
            from => from,
        };
        format!("{} from {from}", find(&in_table, &name))
    }));
    lines.extend(
        definition
            .fk_columns
            .iter()
            .map(|name| format!("declared {name}")),
    );
    lines.join("\n")
}

/// How changes of the sources are followed.
fn followed(lineage: &Lineage) -> String {
    let sources = lineage.sources.iter().map(|source| {
        let columns = columns::of(source.relation);
        let numbers = |names: &BTreeSet<String>| -> Vec<i16> {
            let named = columns.iter().filter(|column| names.contains(&column.name));
            named.map(|column| column.number).collect()
        };
        let Source {
            relation,
            partitions,
            watched,
            ..
        } = source;
        let oids = |oids: &[Oid]| oids.iter().map(|oid| oid.to_u32()).collect::<Vec<_>>();
        format!(
            "source {} captured {:?} watched {:?} {:?} partitions {:?}",
            relation.to_u32(),
            numbers(&source.captured()),
            watched.as_ref().map(numbers),
            source.versions,
            oids(partitions),
        )
    });
    sources.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(rows: &str, lineage: &str, count: i64, all: &str, known: &str) -> Fingerprint {
        Fingerprint {
            rows: rows.to_string(),
            lineage: lineage.to_string(),
            labels: Labels {
                count,
                checksum: all.to_string(),
            },
            known_labels: known.to_string(),
        }
    }

    #[test]
    fn what_cannot_change_a_row_is_harmless() {
        let registered = fingerprint("a", "b", 2, "two", "").to_string();
        let compare = |now: Fingerprint| now.compare(&registered);
        assert_eq!(compare(fingerprint("a", "b", 2, "two", "two")), Difference::None);
        assert_eq!(
            compare(fingerprint("a", "c", 2, "two", "two")),
            Difference::Harmless
        );
        assert_eq!(
            compare(fingerprint("a", "b", 3, "three", "two")),
            Difference::Harmless
        );
        assert_eq!(
            compare(fingerprint("a", "b", 2, "other", "other")),
            Difference::Rows
        );
        assert_eq!(compare(fingerprint("d", "b", 2, "two", "two")), Difference::Rows);
    }

    #[test]
    fn what_another_version_registered_says_nothing() {
        for registered in ["", "0123456789abcdef", "a-b", "a-b-many-c"] {
            let now = fingerprint("a", "b", 0, "c", "c");
            assert_eq!(now.compare(registered), Difference::Rows, "{registered}");
        }
    }
}
