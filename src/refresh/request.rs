//! `pg_tviews_refresh`: keys a user wants recomputed, through the log like any change.

use pgrx::pg_sys::{self};
use pgrx::PgSqlErrorCode;

use crate::capture;
use crate::catalog::columns;
use crate::catalog::create::check_owner;
use crate::catalog::definition::{self, Definition};
use crate::error::{OrRaise, Problem};
use crate::postgres::relation;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;

/// Asks for these keys, or everything, to be recomputed once the caller commits. A key of several columns is
/// given as a JSON object.
pub fn request(name: &str, keys: Option<Vec<Option<String>>>) {
    let definition = definition::find(name).or_raise();
    check_owner(definition.tview).or_raise();
    let keys = keys.map(|keys| {
        keys.iter()
            .map(|key| change_key(&definition, key.as_deref()).or_raise())
            .collect()
    });
    capture::request_refresh(definition.tview, keys);
}

/// A key as a JSON object, its values checked against the key's types.
fn change_key(definition: &Definition, key: Option<&str>) -> Result<String, Problem> {
    let invalid = |message: String| {
        let example = match &definition.key_columns[..] {
            [only] => format!("one value of {only} per key: '{{1,2}}'"),
            several => format!("one JSON object per key with the members {}", several.join(", ")),
        };
        Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
            .hint(format!("Give {example}."))
    };
    let Some(key) = key else {
        return Err(invalid("a key to refresh is NULL".to_string()));
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
        .map(|c| {
            format!(
                "{} {}",
                relation::quote(&c.name),
                relation::type_name(c.type_oid, c.modifier)
            )
        })
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
