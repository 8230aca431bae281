//! Change keys as rows: the table `changed` that a key query starts from.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::{collation, quote, type_facts, type_operators};

/// How many change keys the planner should assume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rowcount {
    Few,
    Many,
}

/// A captured column, as change keys are read.
pub struct ChangedColumn {
    /// Quoted.
    name: String,
    /// Type and collation, as in a column definition list.
    definition: String,
    /// Equal values may differ, like 1.0 and 1.00, or cannot be compared: their texts are.
    by_text: bool,
}

impl ChangedColumn {
    /// A column of this name and type.
    pub fn new(name: &str, type_oid: Oid, modifier: i32, collation: Oid) -> ChangedColumn {
        ChangedColumn {
            name: quote::identifier(name),
            definition: column_definition(type_oid, modifier, collation),
            by_text: !type_operators::equal_is_identical(type_oid, modifier, collation),
        }
    }

    /// A column, by its quoted name, to be read as text.
    pub fn text(name: &str) -> ChangedColumn {
        ChangedColumn {
            name: name.to_string(),
            definition: "text".to_string(),
            by_text: false,
        }
    }
}

/// The distinct changed rows in `$1 jsonb[]`, with these columns. Rows that are equal but not identical stay
/// apart, like 1.0 and 1.00: a key computed from them may differ.
pub fn changed_rows(columns: &[ChangedColumn], rows: Rowcount) -> String {
    if columns.is_empty() {
        return "SELECT true AS any_row FROM unnest($1) AS log(keys) LIMIT 1".to_string();
    }
    let log = match rows {
        // One call of jsonb_to_recordset counts as 100 rows, one per queue row as 1000 and more.
        Rowcount::Few => "(SELECT jsonb_path_query_array(to_jsonb($1), '$[*][*]') AS keys) AS log",
        Rowcount::Many => "unnest($1) AS log(keys)",
    };
    let definitions: Vec<String> = columns
        .iter()
        .map(|column| {
            let definition = if column.by_text {
                "text"
            } else {
                &column.definition
            };
            format!("{} {definition}", column.name)
        })
        .collect();
    let distinct = format!(
        "SELECT DISTINCT change.* FROM {log}, LATERAL jsonb_to_recordset(log.keys) AS change({})",
        definitions.join(", ")
    );
    if columns.iter().all(|column| !column.by_text) {
        return distinct;
    }
    let values: Vec<String> = columns
        .iter()
        .map(|column| {
            if column.by_text {
                format!("change.{0}::{1} AS {0}", column.name, column.definition)
            } else {
                format!("change.{}", column.name)
            }
        })
        .collect();
    format!("SELECT {} FROM ({distinct}) AS change", values.join(", "))
}

/// Type and collation of a column, as in a column definition list.
pub fn column_definition(type_oid: Oid, modifier: i32, collation: Oid) -> String {
    let name = type_facts::name(type_oid, modifier);
    if collation == Oid::INVALID || collation == pg_sys::DEFAULT_COLLATION_OID {
        return name;
    }
    match collation::name(collation) {
        Some(collation) => format!("{name} COLLATE {collation}"),
        None => name,
    }
}
