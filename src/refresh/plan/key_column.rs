//! A key column: its types in view and table, and the SQL that casts a value from one to the other.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::columns::Column;
use crate::error::Problem;
use crate::postgres::key_type::KeyType;
use crate::postgres::{collation, quote, type_facts, type_operators};

/// A key column. Lookups in the view compare keys in the type and collation of the view; lookups in the
/// table, in those of the table.
#[derive(Debug, Clone)]
pub struct KeyColumn {
    /// Quoted.
    pub name: String,
    pub view_type: String,
    pub table_type: String,
    /// The equality operators of the view's type and of the table's type.
    pub view_equality: String,
    pub table_equality: String,
    /// Equal values of the table have the same binary image.
    pub same_image: bool,
    /// Equal values of the view have the same text.
    pub same_text: bool,
    pub values: KeyType,
    /// `COLLATE ..` or nothing.
    view_collation: String,
    table_collation: String,
    /// Whether view and table compare by the same collation.
    same_collation: bool,
}

impl KeyColumn {
    /// A key column as view and table declare it. `of`: the table that it belongs to, for messages.
    pub fn new(of_view: &Column, of_table: &Column, of: &str) -> Result<KeyColumn, Problem> {
        Ok(KeyColumn {
            name: quote::identifier(&of_view.name),
            view_type: type_facts::name(of_view.type_oid, of_view.modifier),
            table_type: type_facts::name(of_table.type_oid, of_table.modifier),
            view_equality: equality(of_view, of)?,
            table_equality: equality(of_table, of)?,
            same_image: type_operators::equal_is_identical(
                of_table.type_oid,
                of_table.modifier,
                of_table.collation,
            ),
            same_text: type_operators::equal_is_identical(
                of_view.type_oid,
                of_view.modifier,
                of_view.collation,
            ),
            values: KeyType::of(of_view.type_oid, of_view.modifier),
            view_collation: collate(of_view),
            table_collation: collate(of_table),
            same_collation: of_view.collation == of_table.collation,
        })
    }

    /// A value cast to the type of the view.
    pub fn as_views(&self, value: &str) -> String {
        format!("{value}::{}{}", self.view_type, self.view_collation)
    }

    /// A value of the view cast to the type of the table.
    pub fn as_tables(&self, value: &str) -> String {
        let collation = if self.same_collation {
            ""
        } else {
            &self.table_collation
        };
        format!("{value}::{}{collation}", self.table_type)
    }

    /// A value of any collation that equals one of the view, cast to the type of the table.
    pub fn any_as_tables(&self, value: &str) -> String {
        format!("{value}::{}{}", self.table_type, self.table_collation)
    }
}

fn collate(column: &Column) -> String {
    match column.collation {
        Oid::INVALID => String::new(),
        collation => collation::name(collation)
            .map(|name| format!(" COLLATE {name}"))
            .unwrap_or_default(),
    }
}

fn equality(column: &Column, of: &str) -> Result<String, Problem> {
    check_type(column, of)?;
    type_operators::equality(column.type_oid).ok_or_else(|| unsuitable(column, of, "equality operator"))
}

/// Refuses a key column whose type has no equality operator or no order: it cannot have a unique index.
pub fn check_type(column: &Column, of: &str) -> Result<(), Problem> {
    if type_operators::equality(column.type_oid).is_none() {
        return Err(unsuitable(column, of, "equality operator"));
    }
    if !type_operators::is_ordered(column.type_oid) {
        return Err(unsuitable(column, of, "order"));
    }
    Ok(())
}

fn unsuitable(column: &Column, of: &str, lacks: &str) -> Problem {
    let name = quote::identifier(&column.name);
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
        format!(
            "key column {name}{of} has type {}, which has no {lacks}",
            type_facts::display(column.type_oid, column.modifier)
        ),
    )
    .detail("Rows are found by their key, and the unique index on the key needs a type that btree indexes can order.")
    .hint(format!(
        "Cast the column in the view, for example {name}::text AS {name}, or choose another key with key_columns."
    ))
}
