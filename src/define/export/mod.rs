//! `pg_tviews_export`: SQL that makes the TVIEWs of a schema again.

mod script;
mod tview;

use std::collections::HashMap;

use pgrx::pg_sys::Oid;

use crate::catalog::definition::{self, Definition};
use crate::catalog::{feeds, name, version};
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::{extension, quote, schema};
use script::Script;

/// The script for the TVIEWs of a schema, or of all schemas. Run where the TVIEWs exist, it leaves them unchanged.
pub fn export(schema_name: Option<&str>) -> Result<String, Problem> {
    version::check()?;
    if let Some(schema) = schema_name.filter(|schema| !run_internal(|| name::schema_exists(schema))) {
        return Err(name::unknown_schema(schema));
    }
    let functions = extension::schema().and_then(schema::name).unwrap_or_default();
    let mut script = Script::new(quote::identifier(&functions));
    run_internal(|| {
        let definitions = in_order(definition::load_all());
        let wanted = definitions
            .iter()
            .filter(|definition| schema_name.is_none_or(|name| definition.view_schema == name));
        wanted.for_each(|definition| tview::add(&mut script, definition));
    });
    Ok(script.finish())
}

/// By schema and name, and each after the TVIEWs that it reads.
fn in_order(mut definitions: Vec<Definition>) -> Vec<Definition> {
    definitions.sort_by(|a, b| (&a.view_schema, &a.entity_name).cmp(&(&b.view_schema, &b.entity_name)));
    let sources: HashMap<Oid, &[Oid]> = definitions
        .iter()
        .map(|definition| (definition.tview, &definition.sources[..]))
        .collect();
    let tviews: Vec<Oid> = definitions.iter().map(|definition| definition.tview).collect();
    let order = feeds::sources_first(&tviews, |tview| sources.get(&tview).copied());
    let place: HashMap<Oid, usize> = order.into_iter().zip(0..).collect();
    definitions.sort_by_key(|definition| place.get(&definition.tview).copied());
    definitions
}
