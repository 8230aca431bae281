//! The key of a TVIEW that is created or redefined: picked, its types checked.

use pgrx::pg_sys::Oid;

use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::entity::Entity;
use crate::catalog::key_choice::pick_key;
use crate::error::Problem;
use crate::postgres::{quote, spi, type_facts};
use crate::refresh::plan::key_column::check_type;

/// The key columns: `named` by the caller, kept from the definition `before`, or picked. `table`: the
/// TVIEW's, if it exists. `queried`: the caller has given the query of the view.
pub fn choose(
    entity: &Entity,
    named: Option<Vec<String>>,
    before: Option<&Definition>,
    view: &[Column],
    table: Option<Oid>,
    queried: bool,
) -> Result<Vec<String>, Problem> {
    let table = table.map(|table| (table, columns::of(table)));
    let table = table.as_ref().map(|(table, columns)| (*table, &columns[..]));
    let named = named.or_else(|| kept(before, view));
    let key = spi::session(|| pick_key(entity, view, table, named, queried))?;
    check_types(entity, &key, view, table.map(|(_, columns)| columns))?;
    Ok(key)
}

/// Redefinition keeps the key while the view still has its columns.
fn kept(before: Option<&Definition>, view: &[Column]) -> Option<Vec<String>> {
    let key = &before?.key_columns;
    key.iter()
        .all(|name| view.iter().any(|column| column.name == *name))
        .then(|| key.clone())
}

/// Checks the types before the unique index is created: the error of CREATE INDEX would explain less.
fn check_types(
    entity: &Entity,
    key: &[String],
    view: &[Column],
    table: Option<&[Column]>,
) -> Result<(), Problem> {
    let table_name = entity.display();
    let of_view = format!(" of {}", entity.qualified(&entity.view()));
    let of_table = format!(" of {table_name}");
    for column in view.iter().filter(|column| key.contains(&column.name)) {
        check_type(column, &of_view)?;
        let same = table.and_then(|columns| columns.iter().find(|same| same.name == column.name));
        same.map_or(Ok(()), |same| check_type(same, &of_table))
            .map_err(|problem| {
                problem.hint(format!(
                    "Run ALTER TABLE {table_name} ALTER COLUMN {} TYPE {};",
                    quote::identifier(&column.name),
                    type_facts::display(column.type_oid, column.modifier)
                ))
            })?;
    }
    Ok(())
}
