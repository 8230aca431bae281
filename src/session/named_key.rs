//! Keys as users name them: the value of the only key column, or a JSON object. They are read under the
//! settings of the session, once. From then on they have a form that does not depend on settings.

use std::ffi::CString;

use pgrx::{pg_sys, PgSqlErrorCode};

use crate::catalog::columns::{self, Column};
use crate::catalog::definition::Definition;
use crate::catalog::limits;
use crate::error::{shown, shown_message, Problem};
use crate::postgres::key_type::KeyType;
use crate::postgres::permit::Permit;
use crate::postgres::run_as::{run_internal, run_restricted, settings_here};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, recursion, transaction, type_facts};
use crate::refresh::plan::key::{key_object, Key};
use crate::refresh::plan::{self, key_code, Plan};

/// Keys per statement.
const BATCH: usize = 1_000;

/// The keys in objects that [`change_keys`] has made. As the TVIEW's owner, inside an SPI session.
pub fn key_texts(plan: &Plan, objects: &[String]) -> Vec<Key> {
    let parts = objects.chunks(BATCH).flat_map(|part| {
        // JSON text holds no NUL byte.
        let part = CString::new(format!("[{}]", part.join(", "))).unwrap_or_default();
        plan.requested.keys(&plan.shape, Value::jsonb_array(&part))
    });
    parts.collect()
}

/// A key as a JSON object, its values checked against the key's types. A key of several columns is given as
/// one.
pub fn change_key(definition: &Definition, key: &str) -> Result<String, Problem> {
    let mut object = String::new();
    change_keys(definition, &[Some(key)], |objects| object = objects.concat())?;
    Ok(object)
}

/// The same for many keys: `each` gets them in batches.
pub fn change_keys(
    definition: &Definition,
    keys: &[Option<&str>],
    mut each: impl FnMut(Vec<String>),
) -> Result<(), Problem> {
    let types = key_types(definition);
    let permit = if key_code::runs(types.iter().map(|(_, of_type)| of_type)) {
        Some(permit_of_owner(definition)?)
    } else {
        None
    };
    for keys in keys.chunks(BATCH) {
        let keys = keys.iter().map(|key| given(definition, &types, *key));
        each(read(
            definition,
            &types,
            permit,
            &keys.collect::<Result<Vec<_>, _>>()?,
        )?);
    }
    Ok(())
}

/// Checks that need no code of the key's types: length, NULL, and whether all columns are named.
fn given<'k>(
    definition: &Definition,
    types: &[(Column, KeyType)],
    key: Option<&'k str>,
) -> Result<&'k str, Problem> {
    let Some(key) = key else {
        return Err(invalid(definition, "a key is NULL".to_string()));
    };
    limits::check_key(key)?;
    if types.len() > 1 && !names_all(types, key) {
        return Err(not_a_key(definition, key));
    }
    Ok(key)
}

fn read(
    definition: &Definition,
    types: &[(Column, KeyType)],
    permit: Option<Permit>,
    keys: &[&str],
) -> Result<Vec<String>, Problem> {
    let names = || types.iter().map(|(column, of_type)| (&column.name[..], of_type));
    let mut objects = Vec::new();
    let read = transaction::attempt(|| {
        let mut read = || {
            for key in keys {
                recursion::step();
                let texts = match types {
                    [(_, only)] => vec![Some(only.given(key))],
                    several => members(several, key),
                };
                let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
                objects.push(key_object(names(), &texts));
            }
        };
        match permit {
            Some(permit) => run_restricted(permit, &settings_here(), read),
            None => read(),
        }
    });
    match read {
        Ok(()) => Ok(objects),
        Err(caught) if caught.is_cancel() => Err(caught.into()),
        Err(caught) => {
            // The first key that is not among the objects is the one that failed.
            let mut problem = not_a_key(definition, keys.get(objects.len()).copied().unwrap_or_default());
            problem.code = caught.code;
            Err(problem.detail(shown_message(&caught.message)))
        }
    }
}

fn not_a_key(definition: &Definition, key: &str) -> Problem {
    invalid(
        definition,
        format!("\"{}\" is not a key of {}", shown(key), definition.display()),
    )
}

/// Code of types runs with the rights of the owner of the TVIEW, who chose the types or owns them.
fn permit_of_owner(definition: &Definition) -> Result<Permit, Problem> {
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition.clone()))?,
    };
    plan.permit().map_err(|refusal| refusal.problem(&plan))
}

fn invalid(definition: &Definition, message: String) -> Problem {
    let example = match &definition.key_columns[..] {
        [only] => format!("a value of {only}"),
        several => format!("a JSON object with the members {}", several.join(", ")),
    };
    Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
        .hint(format!("A key is {example}, as text."))
}

/// The key columns with their types in the view, or in the table while there is no view.
fn key_types(definition: &Definition) -> Vec<(Column, KeyType)> {
    let columns = columns::of(definition.view().unwrap_or(definition.tview));
    definition
        .key_columns
        .iter()
        .filter_map(|name| columns.iter().find(|column| column.name == *name))
        .map(|column| (column.clone(), KeyType::of(column.type_oid, column.modifier)))
        .collect()
}

/// Whether this is a JSON object with a value for every column.
fn names_all(types: &[(Column, KeyType)], key: &str) -> bool {
    let parsed: serde_json::Value = serde_json::from_str(key).unwrap_or_default();
    types
        .iter()
        .all(|(column, _)| parsed.get(&column.name).is_some_and(|value| !value.is_null()))
}

/// The texts of an object's members. A string is the value's text, arrays and rows may be given as JSON.
fn members(types: &[(Column, KeyType)], object: &str) -> Vec<Option<String>> {
    let definitions: Vec<String> = types
        .iter()
        .map(|(column, of_type)| {
            let of = if of_type.is_nested() {
                type_facts::name(of_type.base(), column.modifier)
            } else {
                "text".to_string()
            };
            format!("{} {of}", quote::identifier(&column.name))
        })
        .collect();
    let sql = format!(
        "SELECT * FROM pg_catalog.jsonb_to_record($1::pg_catalog.jsonb) AS key({})",
        definitions.join(", ")
    );
    spi::session(|| {
        let rows = spi::run(&sql, Access::Snapshot, &[(pg_sys::TEXTOID, Value::of(object))]);
        let text = |(place, (_, of_type)): (usize, &(Column, KeyType))| {
            if of_type.is_nested() {
                of_type.text(&rows.value(0, place))
            } else {
                rows.get::<String>(0, place).map(|text| of_type.given(&text))
            }
        };
        types.iter().enumerate().map(text).collect()
    })
}
