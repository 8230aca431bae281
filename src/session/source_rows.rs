//! Rows of a source as a user names them, and their change keys.

use std::collections::BTreeMap;
use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;
use serde_json::{Map, Value as Json};

use crate::catalog::columns::{self, Column};
use crate::catalog::{key_choice, limits};
use crate::error::{shown, shown_message, Caught, Problem};
use crate::lineage::Source;
use crate::postgres::key_type::KeyType;
use crate::postgres::process::memory;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::sql_types::Document;
use crate::postgres::{quote, relation, type_facts, type_operators};
use crate::queue::read::Pending;
use crate::refresh::plan::key::key_object;

/// A condition on source rows, and the values it is to be true for.
pub struct Condition {
    /// Columns compared, as in a column definition list.
    definitions: Vec<String>,
    /// On the row `s` of the source and the row `named` of values.
    sql: String,
    rows: Vec<Json>,
}

/// Reads the rows of the table `named` that a user names: an array of objects with values of columns, or of
/// values of the primary key; or one such object.
pub fn read(named: Oid, rows: &Document) -> Result<Vec<Json>, Problem> {
    limits::check_document("keys", &rows.0)?;
    // Numbers of one digit take 16 times the length of their text.
    memory::room(16 * rows.0.len());
    match serde_json::from_str(&rows.0) {
        Ok(Json::Array(rows)) => Ok(rows),
        Ok(Json::Object(row)) => Ok(vec![Json::Object(row)]),
        Ok(_) => {
            Err(invalid(named, "keys is not an array".to_string())
                .detail(format!("It is {}.", shown(&rows.0))))
        }
        Err(error) => {
            Err(invalid(named, "keys is nested too deeply".to_string()).detail(format!("{error}.")))
        }
    }
}

/// The error of PostgreSQL about a value that a column cannot have.
pub fn not_a_value(named: Oid, caught: Caught) -> Problem {
    let mut problem = invalid(named, shown_message(&caught.message));
    problem.code = caught.code;
    problem
}

/// The conditions for rows of `source` to be among the `rows` of the table `named`.
pub fn conditions(named: Oid, source: Oid, rows: &[Json]) -> Result<Vec<Condition>, Problem> {
    let columns = columns::of(source);
    let mut groups: BTreeMap<Vec<(String, bool)>, Vec<Json>> = BTreeMap::new();
    for row in rows {
        let row = match row {
            Json::Object(row) => row.clone(),
            value => Map::from_iter([(primary_key(named, value)?, value.clone())]),
        };
        if row.is_empty() {
            return Err(invalid(source, "an object in keys names no column".to_string()));
        }
        let shape = row.iter().map(|(name, value)| (name.clone(), value.is_null()));
        groups.entry(shape.collect()).or_default().push(Json::Object(row));
    }
    let groups = groups.into_iter();
    groups
        .map(|(shape, rows)| condition(source, &columns, shape, rows))
        .collect()
}

fn condition(
    source: Oid,
    columns: &[Column],
    shape: Vec<(String, bool)>,
    rows: Vec<Json>,
) -> Result<Condition, Problem> {
    let mut rows = rows;
    let mut definitions = Vec::new();
    let mut terms = Vec::new();
    for (name, is_null) in shape {
        let column = columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            Problem::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "column \"{}\" of {} does not exist",
                    shown(&name),
                    relation::display(source)
                ),
            )
            .hint(format!("Its columns are {}.", names.join(", ")))
        })?;
        let quoted = quote::identifier(&name);
        let type_name = type_facts::name(column.type_oid, column.modifier);
        terms.push(match (is_null, type_operators::equality(column.type_oid)) {
            (true, _) => format!("s.{quoted} IS NULL"),
            (false, Some(equals)) => format!("s.{quoted} {equals} named.{quoted}"),
            (false, None) => {
                return Err(invalid(
                    source,
                    format!("column \"{name}\" has type {type_name}, which has no equality operator"),
                ))
            }
        });
        definitions.push(format!("{quoted} {type_name}"));
        for row in &mut rows {
            if let Some(value) = row.get_mut(&name) {
                *value = given(column, value.take());
            }
        }
    }
    Ok(Condition {
        definitions,
        sql: terms.join(" AND "),
        rows,
    })
}

/// The one column that a plain value stands for.
fn primary_key(source: Oid, value: &Json) -> Result<String, Problem> {
    let display = relation::display(source);
    if value.is_null() || value.is_array() {
        return Err(invalid(
            source,
            format!("{} in keys names no row of {display}", shown(&value.to_string())),
        ));
    }
    match &key_choice::primary_key(source)[..] {
        [only] => Ok(only.clone()),
        _ => Err(invalid(
            source,
            format!(
                "{} in keys names no row of {display}, which has no primary key of one column",
                shown(&value.to_string())
            ),
        )),
    }
}

fn invalid(source: Oid, message: String) -> Problem {
    let primary = key_choice::primary_key(source);
    let column = primary.first().map_or("column", String::as_str);
    Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message).hint(format!(
        "Name rows by their columns: '[{{{}: 1}}]'.",
        Json::from(column)
    ))
}

/// The change keys of the rows that exist, as capture would write them. Inside an SPI session; the values
/// live as long as the session.
pub fn find(source: &Source, conditions: &[Condition]) -> Vec<Pending> {
    let Some(table) = relation::qualified_name(source.relation) else {
        return Vec::new();
    };
    // Tables that inherit are sources of their own.
    let only = match relation::kind(source.relation) {
        Some('p') => "",
        _ => "ONLY ",
    };
    let names = source.captured();
    let mut captured = columns::of(source.relation);
    captured.retain(|column| names.contains(&column.name));
    let values: Vec<String> = captured
        .iter()
        .map(|column| format!("s.{}", quote::identifier(&column.name)))
        .collect();
    let found = conditions.iter().filter_map(|condition| {
        let sql = format!(
            "SELECT {} FROM {only}{table} AS s, jsonb_to_recordset($1) AS named({}) WHERE {}",
            values.join(", "),
            condition.definitions.join(", "),
            condition.sql
        );
        let named = Document(Json::Array(condition.rows.clone()).to_string());
        let rows = spi::run(&sql, Access::Snapshot, &[(pg_sys::JSONBOID, Value::of(named))]);
        let keys = change_keys(&captured, &rows)?;
        Some(Pending {
            origins: None,
            source: source.relation,
            requested: false,
            all_keys: false,
            keys: Value::jsonb_array(&keys),
            changes: rows.len() as i64,
            oldest: None,
            oldest_xid: None,
            largest: None,
        })
    });
    found.collect()
}

/// Rows of captured columns as a JSON array of change keys; None if there is no row.
fn change_keys(captured: &[Column], rows: &Rows) -> Option<CString> {
    let types: Vec<KeyType> = captured
        .iter()
        .map(|column| KeyType::of(column.type_oid, column.modifier))
        .collect();
    let object = |row| {
        let value = |(place, of_type): (usize, &KeyType)| of_type.text(&rows.value(row, place));
        let texts: Vec<Option<String>> = types.iter().enumerate().map(value).collect();
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let names = captured.iter().map(|column| column.name.as_str());
        key_object(names.zip(&types), &texts)
    };
    let objects: Vec<String> = (0..rows.len()).map(object).collect();
    // A value of PostgreSQL has no NUL byte.
    (!objects.is_empty()).then(|| CString::new(format!("[{}]", objects.join(", "))).ok())?
}

/// A value that a user has written: read under the settings of the session, in a form that does not depend on
/// them.
fn given(column: &Column, value: Json) -> Json {
    let text = match value {
        Json::String(text) => text,
        Json::Number(number) => number.to_string(),
        // Arrays and objects are left to jsonb_to_recordset.
        other => return other,
    };
    if [pg_sys::JSONOID, pg_sys::JSONBOID].contains(&column.type_oid) {
        return Json::String(text);
    }
    let of_type = KeyType::of(column.type_oid, column.modifier);
    Json::String(of_type.given(&text))
}
