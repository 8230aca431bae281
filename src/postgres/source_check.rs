//! Which relations a TVIEW can read: those whose changes a row trigger sees.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{extension, inheritance, quote, relation};
use crate::error::Problem;

/// Why most relations that are refused are.
const UNSEEN: &str = "Its changes fire no trigger that could record them.";
/// What to read instead.
const ORDINARY: &str = "Read ordinary or partitioned tables, or views over them.";

/// Refuses a relation whose changes no row trigger sees.
pub fn check_source(relation: Oid, kind: char, with_children: bool) -> Result<(), Problem> {
    refuse_by_schema(relation)?;
    let display = relation::display(relation);
    match kind {
        'r' | 'p' if with_children => refuse_by_tables_below(relation, kind),
        'r' | 'p' => Ok(()),
        'm' => refused(
            format!("the materialized view {display}"),
            UNSEEN,
            format!(
                "Read a view of the same query, which SELECT pg_get_viewdef({}); shows.",
                quote::literal(&display)
            ),
        ),
        'f' => refused(
            format!("the foreign table {display}"),
            "Its rows change on another server, where no trigger records it.",
            "Read an ordinary table that the rows are copied into, for example by logical replication.",
        ),
        'S' => refused(format!("the sequence {display}"), UNSEEN, ORDINARY),
        _ => refused(display, UNSEEN, ORDINARY),
    }
}

fn refused(what: String, why: &str, instead: impl Into<String>) -> Result<(), Problem> {
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("a TVIEW cannot read {what}"),
    )
    .detail(why)
    .hint(instead))
}

/// Temporary tables, system catalogs, and relations of the extension.
fn refuse_by_schema(relation: Oid) -> Result<(), Problem> {
    // SAFETY: catalog look-ups inside a transaction.
    let (is_temporary, is_catalog) = unsafe {
        (
            pg_sys::isAnyTempNamespace(pg_sys::get_rel_namespace(relation)),
            pg_sys::IsCatalogRelationOid(relation),
        )
    };
    if is_temporary {
        let table = quote::identifier(&relation::name(relation).unwrap_or_default());
        return refused(
            format!("the temporary table {table}"),
            "Background workers cannot see the temporary objects of a session.",
            ORDINARY,
        );
    }
    let display = relation::display(relation);
    if is_catalog {
        return refused(format!("the system catalog {display}"), UNSEEN, ORDINARY);
    }
    if extension::owns(relation) {
        return refused(
            format!("{display}, which pg_tviews itself writes"),
            UNSEEN,
            ORDINARY,
        );
    }
    Ok(())
}

/// A partitioned table, or one that other tables inherit from, with a table below it whose changes no trigger
/// sees.
fn refuse_by_tables_below(relation: Oid, kind: char) -> Result<(), Problem> {
    let of_this_session = |table: Oid| {
        // SAFETY: catalog look-ups inside a transaction.
        relation::is_temporary(table) && unsafe { pg_sys::isTempNamespace(pg_sys::get_rel_namespace(table)) }
    };
    let unseen = inheritance::inheritors(relation)
        .into_iter()
        .find(|table| relation::kind(*table) == Some('f') || of_this_session(*table));
    let Some(below) = unseen.map(relation::display) else {
        return Ok(());
    };
    let display = relation::display(relation);
    refused(
        format!("{display}, because of the table {below} below it"),
        "Rows of temporary and foreign tables below it are rows of it as well, and cannot be followed.",
        match kind {
            'p' => {
                format!("Run ALTER TABLE {display} DETACH PARTITION {below}; to make it a table of its own.")
            }
            _ => format!("Let the view read FROM ONLY {display}."),
        },
    )
}
