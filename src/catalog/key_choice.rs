//! The key of a TVIEW: which columns identify a row of the tv table, and of the view.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::columns::{list, Column};
use super::entity::Entity;
use crate::error::{shown, Problem};
use crate::postgres::quote;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Picks the key. The key that the caller names comes first, then `pk_<entity>` if view and table have the
/// column. Otherwise an existing table gives its primary key, and a new table takes the view's column `id`.
/// `queried`: the view is gone after an error, so that the hint has a place for its query.
pub fn pick_key(
    entity: &Entity,
    view: &[Column],
    table: Option<(Oid, &[Column])>,
    named: Option<Vec<String>>,
    queried: bool,
) -> Result<Vec<String>, Problem> {
    if let Some(named) = named {
        return named_key(entity, view, table.map(|(_, columns)| columns), named);
    }
    let conventional = conventional(entity);
    let in_table = table.is_none_or(|(_, columns)| has(columns, &conventional));
    if has(view, &conventional) && in_table {
        return Ok(vec![conventional]);
    }
    let key = match table {
        Some((table, _)) => primary_key(table),
        None => vec!["id".to_string()],
    };
    if !key.is_empty() && key.iter().all(|column| has(view, column)) {
        return Ok(key);
    }
    Err(no_key(entity, view, queried))
}

/// The key that the caller names, if view and table have its columns.
fn named_key(
    entity: &Entity,
    view: &[Column],
    table: Option<&[Column]>,
    named: Vec<String>,
) -> Result<Vec<String>, Problem> {
    let named = check_key(&entity.qualified(&entity.view()), view, named)?;
    let Some(columns) = table else {
        return Ok(named);
    };
    match named.iter().find(|column| !has(columns, column)) {
        None => Ok(named),
        Some(column) => Err(no_such_column(column, &entity.display(), columns)
            .hint("Name columns that both the view and the table have.")),
    }
}

/// The key that the caller names, if the columns of `relation` include it.
pub fn check_key(relation: &str, columns: &[Column], named: Vec<String>) -> Result<Vec<String>, Problem> {
    if named.is_empty() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "key_columns is empty",
        )
        .hint("Name at least one column: key_columns => '{id}'."));
    }
    for (place, column) in named.iter().enumerate() {
        if !has(columns, column) {
            return Err(no_such_column(column, relation, columns)
                .hint("Name some of these columns. A table that exists already must have them, too."));
        }
        if named[..place].contains(column) {
            return Err(Problem::new(
                PgSqlErrorCode::ERRCODE_DUPLICATE_COLUMN,
                format!("key column \"{column}\" is named twice"),
            )
            .hint("Name each key column once."));
        }
    }
    Ok(named)
}

/// The column that is the key by convention.
pub fn conventional(entity: &Entity) -> String {
    format!("pk_{}", entity.name)
}

/// The primary key columns of a table, in key order.
pub fn primary_key(table: Oid) -> Vec<String> {
    spi::session(|| {
        let args = [(pg_sys::OIDOID, Value::of(table))];
        spi::run(&statement!("relation_primary_key"), Access::Current, &args).one::<Vec<String>>()
    })
    .unwrap_or_default()
}

/// Whether a unique index covers exactly these columns.
pub fn has_unique_index(table: Oid, key: &[String]) -> bool {
    spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(table)),
            (pg_sys::TEXTARRAYOID, Value::of(key.to_vec())),
        ];
        !spi::run(&statement!("relation_has_unique_index"), Access::Current, &args).is_empty()
    })
}

fn has(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name == name)
}

fn no_such_column(column: &str, relation: &str, columns: &[Column]) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("key column \"{}\" does not exist in {relation}", shown(column)),
    )
    .detail(format!("Columns to choose from are {}.", list(columns)))
}

fn no_key(entity: &Entity, view: &[Column], queried: bool) -> Problem {
    let example = view
        .first()
        .map(|column| quote::identifier(&column.name))
        .unwrap_or_else(|| "id".to_string());
    let columns = if view.is_empty() {
        "no columns".to_string()
    } else {
        format!("the columns {}", list(view))
    };
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("cannot determine the key of TVIEW {}", entity.display()),
    )
    .detail(format!(
        "Neither \"{}\", nor the primary key of {}, nor a column id fits. The view has {columns}.",
        conventional(entity),
        entity.table()
    ))
    .hint(format!(
        "Name the key: SELECT pg_tviews_create({}, {}key_columns => '{{{example}}}');",
        quote::literal(&entity.name),
        if queried { "'SELECT ...', " } else { "" }
    ))
}
