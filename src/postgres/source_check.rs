//! Which relations a TVIEW can read: those whose changes a row trigger sees.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{extension, inheritance, quote, relation};
use crate::error::Problem;

/// A table below this one whose rows are rows of it as well, and whose changes cannot be seen.
fn unseen_below(relation: Oid) -> Option<Oid> {
    let of_this_session = |table: Oid| {
        // SAFETY: catalog look-ups inside a transaction.
        relation::is_temporary(table) && unsafe { pg_sys::isTempNamespace(pg_sys::get_rel_namespace(table)) }
    };
    inheritance::inheritors(relation)
        .into_iter()
        .find(|table| relation::kind(*table) == Some('f') || of_this_session(*table))
}

/// Refuses relations whose changes cannot be seen by a row trigger.
pub fn check_source(relation: Oid, kind: char, with_children: bool) -> Result<(), Problem> {
    let refused = |what: String, why: &str, instead: String| {
        Err(Problem::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("a TVIEW cannot read {what}"),
        )
        .detail(why)
        .hint(instead))
    };
    let ordinary = || "Read ordinary or partitioned tables, or views over them.".to_string();
    // SAFETY: catalog look-ups inside a transaction.
    let (namespace, catalog) = unsafe {
        (
            pg_sys::get_rel_namespace(relation),
            pg_sys::IsCatalogRelationOid(relation),
        )
    };
    let unseen = "Its changes fire no trigger that could record them.";
    // SAFETY: as above.
    if unsafe { pg_sys::isAnyTempNamespace(namespace) } {
        let table = quote::identifier(&relation::name(relation).unwrap_or_default());
        return refused(
            format!("the temporary table {table}"),
            "Background workers cannot see the temporary objects of a session.",
            ordinary(),
        );
    }
    let display = relation::display(relation);
    if catalog {
        return refused(format!("the system catalog {display}"), unseen, ordinary());
    }
    if extension::owns(relation) {
        return refused(
            format!("{display}, which pg_tviews itself writes"),
            unseen,
            ordinary(),
        );
    }
    match kind {
        'r' | 'p' => match unseen_below(relation).filter(|_| with_children) {
            Some(below) => refused(
                format!("{display}, because of the table {} below it", relation::display(below)),
                "Rows of temporary and foreign tables below it are rows of it as well, and cannot be followed.",
                match kind {
                    'p' => format!("ALTER TABLE {display} DETACH PARTITION {};", relation::display(below)),
                    _ => format!("Let the view read FROM ONLY {display}."),
                },
            ),
            None => Ok(()),
        },
        'm' => refused(
            format!("the materialized view {display}"),
            unseen,
            format!("Read a view of the same query: SELECT pg_get_viewdef({});", quote::literal(&display)),
        ),
        'f' => refused(
            format!("the foreign table {display}"),
            "Its rows change on another server, where no trigger records it.",
            "Read an ordinary table that the rows are copied into, for example by logical replication.".to_string(),
        ),
        'S' => refused(format!("the sequence {display}"), unseen, ordinary()),
        _ => refused(display, unseen, ordinary()),
    }
}
