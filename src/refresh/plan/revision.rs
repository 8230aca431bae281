//! The column `revision` of a tv table: it counts the changes of a row, and never goes back for a key.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::columns::Column;
use crate::postgres::{extension, relation};

/// The column `revision`, as the statements see it.
#[derive(Debug, Clone)]
pub struct Revision {
    /// `pg_tview_revision`: the greatest revisions that were deleted.
    pub deleted: Oid,
    /// What new rows begin with, as an expression.
    pub first: String,
}

impl Revision {
    /// None where the view returns the column itself, or the column is no `bigint` that refreshes may write.
    pub fn of(tview: Oid, in_view: &[Column], in_table: &[Column]) -> Option<Revision> {
        let find = |columns: &[Column]| columns.iter().find(|column| column.name == "revision").cloned();
        find(in_table)
            .filter(|column| column.type_oid == pg_sys::INT8OID && find(in_view).is_none())
            .filter(|column| !column.generated && !column.identity_always)?;
        let deleted = extension::relation(c"pg_tview_revision")?;
        let table = relation::qualified_name(deleted)?;
        // Read in the snapshot of the statement that inserts rows: whoever does not see a row any more sees what is
        // kept of its revision.
        let first = format!(
            "(SELECT coalesce(max(kept.revision), 0) + 1 FROM {table} AS kept WHERE kept.tview_oid = {}::oid)",
            tview.to_u32()
        );
        Some(Revision { deleted, first })
    }

    /// The assignment for rows that differ.
    pub fn next() -> &'static str {
        "revision = coalesce(tv.revision, 0) + 1"
    }
}
