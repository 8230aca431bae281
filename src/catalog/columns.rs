//! The columns of a relation: name, type, collation.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::{collation, quote, type_facts};
use crate::statement;

/// A column of a view or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `attnum` of pg_attribute: renaming the column does not change it.
    pub number: i16,
    pub name: String,
    pub type_oid: Oid,
    pub modifier: i32,
    /// The collation that compares the values; invalid where the type has none.
    pub collation: Oid,
    pub generated: bool,
    /// Whether the column is GENERATED ALWAYS AS IDENTITY.
    pub identity_always: bool,
}

impl Column {
    /// Name, type and collation, as in CREATE TABLE.
    pub fn sql(&self) -> String {
        let collation = self.collation_name();
        format!(
            "{} {}{}",
            quote::identifier(&self.name),
            type_facts::name(self.type_oid, self.modifier),
            collation.map_or(String::new(), |name| format!(" COLLATE {name}"))
        )
    }

    /// The collation as SQL; None for the default collation.
    pub fn collation_name(&self) -> Option<String> {
        match self.collation {
            Oid::INVALID | pg_sys::DEFAULT_COLLATION_OID => None,
            own => collation::name(own),
        }
    }
}

/// The columns of a relation in order.
pub fn of(relation: Oid) -> Vec<Column> {
    spi::session(|| {
        let args = [(pg_sys::OIDOID, Value::of(relation))];
        let rows = spi::run(&statement!("relation_columns"), Access::Current, &args);
        (0..rows.len()).filter_map(|row| from_row(&rows, row)).collect()
    })
}

/// The columns that a view of this query would have.
pub fn of_query(query: &Select) -> Vec<Column> {
    let names = query.targets().into_iter().filter(|target| !target.hidden);
    names
        .enumerate()
        .map(|(place, target)| {
            let (type_oid, modifier, collation) = target.expr.column_type();
            Column {
                number: place as i16 + 1,
                name: target.name,
                type_oid,
                modifier,
                collation,
                generated: false,
                identity_always: false,
            }
        })
        .collect()
}

fn from_row(rows: &Rows, row: usize) -> Option<Column> {
    Some(Column {
        number: rows.get(row, 0)?,
        name: rows.get(row, 1)?,
        type_oid: rows.get(row, 2)?,
        modifier: rows.get(row, 3)?,
        collation: rows.get(row, 4)?,
        generated: rows.get(row, 5)?,
        identity_always: rows.get(row, 6)?,
    })
}

/// The names of columns for a message.
pub fn list(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}
