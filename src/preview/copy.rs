//! `COPY tv_post TO` copies a query instead of the table: a query can be given a preview,
//! and a snapshot that keeps a bound.

use pgrx::pg_sys::Oid;

use crate::catalog::{columns, tview_cache};
use crate::postgres::run_as::at_own_work;
use crate::postgres::{quote, relation};
use crate::settings;

/// The query that returns what COPY would. None for tables of no TVIEW. None also if a column does not exist:
/// COPY reports that.
pub fn query(table: Oid, names: &[String]) -> Option<String> {
    let is_query = settings::read_your_writes() || settings::bounds_staleness();
    if at_own_work() || !is_query || !tview_cache::all().ok()?.contains_key(&table) {
        return None;
    }
    let columns = copied(table, names)?.join(", ");
    Some(format!(
        "SELECT {columns} FROM ONLY {}",
        relation::qualified_name(table)?
    ))
}

/// The columns in the list of COPY, or those that COPY takes without a list.
fn copied(table: Oid, names: &[String]) -> Option<Vec<String>> {
    let columns = columns::of(table);
    if names.is_empty() {
        let ordinary = columns.iter().filter(|column| !column.generated);
        return Some(ordinary.map(|column| quote::identifier(&column.name)).collect());
    }
    let exists = |name: &String| columns.iter().any(|column| column.name == *name);
    names
        .iter()
        .map(|name| exists(name).then(|| quote::identifier(name)))
        .collect()
}
