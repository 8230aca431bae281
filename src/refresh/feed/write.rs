//! Writes rows of `pg_tview_change`.

use std::ffi::CStr;

use pgrx::pg_sys::Oid;

use super::changed::{Changed, EVERYTHING};
use super::notify;
use crate::catalog::definition::Definition;
use crate::postgres::extension;
use crate::postgres::heap_insert::{self, next_value, Growth, Value};
use crate::postgres::process::clock;
use crate::postgres::transaction::own_xid;
use crate::settings;

/// The columns that a row has values for.
const COLUMNS: [&CStr; 9] = [
    CHANGE_ID,
    c"xid",
    c"tview_oid",
    c"entity_name",
    c"operation",
    c"keys",
    c"origins",
    c"audit_id",
    c"changed_at",
];
const CHANGE_ID: &CStr = c"change_id";

/// Adds what the current transaction has written to a TVIEW, if its audit row follows in another one.
pub fn write(definition: &Definition, mut changed: Changed, origins: Option<Vec<String>>) {
    add(
        definition.tview,
        &definition.entity_name,
        changed.take(),
        origins,
        None,
    );
}

/// Adds that any row of a TVIEW may have changed.
pub fn everything(tview: Oid, entity_name: &str) {
    let origins = settings::origin().map(|origin| vec![origin]);
    add(tview, entity_name, vec![(EVERYTHING, None)], origins, None);
}

/// Adds changes of a TVIEW, as [`Changed::take`] returns them.
pub fn add(
    tview: Oid,
    entity_name: &str,
    changes: Vec<(&'static str, Option<Vec<u8>>)>,
    origins: Option<Vec<String>>,
    audit: Option<i64>,
) {
    if changes.is_empty() {
        return;
    }
    notify::note(entity_name);
    let Some(table) = extension::relation(c"pg_tview_change") else {
        return;
    };
    let (xid, now) = (own_xid(), clock::now());
    let mut rows = Vec::with_capacity(changes.len());
    for (operation, keys) in &changes {
        let Some(change_id) = next_value(table, CHANGE_ID) else {
            return;
        };
        rows.push([
            Value::Int8(change_id),
            Value::Xid8(xid),
            Value::Oid(tview),
            Value::Text(entity_name),
            Value::Text(operation),
            keys.as_deref().map_or(Value::Null, Value::Jsonb),
            origins.as_deref().map_or(Value::Null, Value::Texts),
            audit.map_or(Value::Null, Value::Int8),
            Value::Timestamp(now),
        ]);
    }
    heap_insert::insert(table, &COLUMNS, Growth::AsNeeded, rows.into_iter(), |_| {});
}
