//! Keys as users name them: the value of the only key column, or a JSON object.

use pgrx::{pg_sys, JsonB, PgSqlErrorCode};

use super::plan::Plan;
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::error::Problem;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;

/// Such JSON objects as keys, each column as text: the same text for the same value, however it was written. As the TVIEW's
/// owner, inside an SPI session.
pub fn key_texts(plan: &Plan, objects: &[String]) -> Vec<Box<[String]>> {
    let parsed = objects
        .iter()
        .map(|object| serde_json::from_str(object).unwrap_or_default());
    let changes = vec![JsonB(serde_json::Value::Array(parsed.collect()))];
    plan.requested.keys(plan, Value::of(changes))
}

/// A key as a JSON object, its values checked against the key's types. A key of several columns is given as one.
pub fn change_key(definition: &Definition, key: Option<&str>) -> Result<String, Problem> {
    let invalid = |message: String| {
        let example = match &definition.key_columns[..] {
            [only] => format!("a value of {only}"),
            several => format!("a JSON object with the members {}", several.join(", ")),
        };
        Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
            .hint(format!("A key is {example}, as text."))
    };
    let Some(key) = key else {
        return Err(invalid("a key is NULL".to_string()));
    };
    let object = match &definition.key_columns[..] {
        [only] => serde_json::json!({ only: key }),
        several => {
            let parsed: serde_json::Value = serde_json::from_str(key).unwrap_or_default();
            if !several
                .iter()
                .all(|name| parsed.get(name).is_some_and(|value| !value.is_null()))
            {
                return Err(invalid(format!(
                    "{key:?} is not a key of {}",
                    definition.display()
                )));
            }
            parsed
        }
    };
    let object = object.to_string();
    let types = spi::session(|| columns::of(definition.tview));
    let definitions: Vec<String> = definition
        .key_columns
        .iter()
        .filter_map(|name| types.iter().find(|column| column.name == *name))
        .map(Column::sql)
        .collect();
    let sql = format!(
        "SELECT * FROM pg_catalog.jsonb_to_record($1::jsonb) AS key({})",
        definitions.join(", ")
    );
    let checked = transaction::attempt(|| {
        spi::session(|| {
            spi::run(
                &sql,
                Access::Snapshot,
                &[(pg_sys::TEXTOID, Value::of(object.as_str()))],
            )
            .len()
        })
    });
    match checked {
        Ok(_) => Ok(object),
        Err(caught) => {
            let mut problem = invalid(format!("{key:?} is not a key of {}", definition.display()));
            problem.code = caught.code;
            Err(problem.detail(caught.message))
        }
    }
}
