//! A TVIEW as the statements of a refresh see it: names, columns, and the values that columns get.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::key_cast;
use super::key_column::KeyColumn;
use super::revision::Revision;
use super::updated_at;
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::document::document;
use crate::error::Problem;
use crate::postgres::quote;
use crate::postgres::relation;
use crate::postgres::type_facts;

/// A maintained column that is not part of the key.
#[derive(Debug, Clone)]
pub struct Content {
    /// Name in the tv table.
    pub name: String,
    /// Its value from a row `v` of the view, cast to the type in the table.
    pub value: String,
}

/// A TVIEW as the statements see it.
#[derive(Debug, Clone)]
pub struct Shape {
    pub table: String,
    pub view: String,
    pub key: Vec<KeyColumn>,
    pub content: Vec<Content>,
    /// Columns whose type differs in the table, for a notice: `n from text to integer`.
    pub converted: Vec<String>,
    /// See [`updated_at::assignment`].
    pub touch: Option<String>,
    pub revision: Option<Revision>,
    /// Statements that write rows return their keys, for the change feed.
    pub returns_keys: bool,
}

/// Columns and key of a TVIEW. Inside an SPI session.
pub fn shape(definition: &Definition, view: Oid) -> Result<Shape, Problem> {
    let name = relation::qualified_name(view);
    shape_of(
        definition,
        name,
        &columns::of(view),
        &columns::of(definition.tview),
    )
}

/// The same for a view and a table with these columns. `view`: the view as SQL.
pub fn shape_of(
    definition: &Definition,
    view: Option<String>,
    in_view: &[Column],
    in_table: &[Column],
) -> Result<Shape, Problem> {
    let key = key(definition, in_view, in_table)?;
    refuse_generated(definition, in_view, in_table)?;
    let (content, converted) = content(definition, in_view, in_table)?;
    let touch = updated_at::assignment(in_view, in_table);
    let revision = Revision::of(in_view, in_table);
    let missing = || {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!(
                "the table or view of TVIEW {} does not exist",
                definition.display()
            ),
        )
    };
    Ok(Shape {
        table: relation::qualified_name(definition.tview).ok_or_else(missing)?,
        view: view.ok_or_else(missing)?,
        key,
        content,
        converted,
        touch,
        revision,
        returns_keys: definition.feed,
    })
}

/// The key columns, in view and table.
fn key(definition: &Definition, in_view: &[Column], in_table: &[Column]) -> Result<Vec<KeyColumn>, Problem> {
    let mut key = Vec::new();
    for name in &definition.key_columns {
        let (Some(of_view), Some(of_table)) = (find(in_view, name), find(in_table, name)) else {
            return Err(Problem::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "key column \"{name}\" is missing from the view or the table of {}",
                    definition.display()
                ),
            )
            .hint("Create the TVIEW again with pg_tviews_create, naming key_columns."));
        };
        let table = definition.display();
        key.push(KeyColumn::new(&of_view, &of_table, &format!(" of {table}"))?);
        key_cast::check(&of_view, &of_table, &table)?;
    }
    Ok(key)
}

/// The maintained columns besides the key, and which of them are converted.
fn content(
    definition: &Definition,
    in_view: &[Column],
    in_table: &[Column],
) -> Result<(Vec<Content>, Vec<String>), Problem> {
    let mut content = Vec::new();
    let mut converted = Vec::new();
    for column in in_table
        .iter()
        .filter(|c| !c.generated && !definition.key_columns.contains(&c.name))
    {
        let name = quote::identifier(&column.name);
        let value = match find(in_view, &column.name) {
            Some(of_view) if of_view.type_oid == column.type_oid && of_view.modifier == column.modifier => {
                format!("v.{name}")
            }
            Some(of_view) if !type_facts::can_cast(of_view.type_oid, column.type_oid) => {
                return Err(no_cast(definition, &of_view, column));
            }
            Some(of_view) => {
                let types = [&of_view, column].map(|c| type_facts::display(c.type_oid, c.modifier));
                converted.push(format!("{name} from {} to {}", types[0], types[1]));
                format!("v.{name}::{}", cast_type(column))
            }
            None if column.name == "data" => format!("({})::{}", document(in_view), cast_type(column)),
            None => continue,
        };
        content.push(Content { name, value });
    }
    Ok((content, converted))
}

fn find(columns: &[Column], name: &str) -> Option<Column> {
    columns.iter().find(|column| column.name == name).cloned()
}

fn no_cast(definition: &Definition, of_view: &Column, of_table: &Column) -> Problem {
    let (table, name) = (definition.display(), quote::identifier(&of_view.name));
    let of_view_type = type_facts::display(of_view.type_oid, of_view.modifier);
    Problem::new(
        PgSqlErrorCode::ERRCODE_CANNOT_COERCE,
        format!(
            "column \"{}\" of the view has type {of_view_type}, which cannot be cast to {}, its type in {table}",
            of_view.name,
            type_facts::display(of_table.type_oid, of_table.modifier)
        ),
    )
    .hint(format!(
        "Run ALTER TABLE {table} ALTER COLUMN {name} TYPE {of_view_type} USING NULL; or cast the column in the view."
    ))
}

/// Refuses columns whose values PostgreSQL generates: refreshes could not write the values of the view.
fn refuse_generated(definition: &Definition, view: &[Column], table: &[Column]) -> Result<(), Problem> {
    let in_view = |column: &&Column| view.iter().any(|of_view| of_view.name == column.name);
    // An identity column that is the key is inserted, and never updated.
    let in_key = |column: &Column| definition.key_columns.contains(&column.name);
    let of_its_own = |column: &&Column| column.generated || (column.identity_always && !in_key(column));
    let Some(column) = table.iter().filter(in_view).find(of_its_own) else {
        return Ok(());
    };
    let (table, name) = (definition.display(), quote::identifier(&column.name));
    let (what, drop) = if column.generated {
        ("generated", "DROP EXPRESSION")
    } else {
        ("an identity column GENERATED ALWAYS", "DROP IDENTITY")
    };
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_GENERATED_ALWAYS,
        format!(
            "column \"{}\" of {table} is {what}, and the view has a column of that name",
            column.name
        ),
    )
    .detail("Refreshes could not write what the view returns.")
    .hint(format!(
        "Run ALTER TABLE {table} ALTER COLUMN {name} {drop}; or remove that column from the view."
    )))
}

/// The type that a value is cast to before it is compared with the stored one. Without the length of a
/// varchar: a value that is too long must fail, as in INSERT, and not be truncated.
fn cast_type(column: &Column) -> String {
    let lengths = [
        pg_sys::VARCHAROID,
        pg_sys::BPCHAROID,
        pg_sys::BITOID,
        pg_sys::VARBITOID,
    ];
    let modifier = if lengths.contains(&column.type_oid) {
        -1
    } else {
        column.modifier
    };
    type_facts::name(column.type_oid, modifier)
}
