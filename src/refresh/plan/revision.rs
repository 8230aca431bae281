//! The column `revision` of a tv table: it counts the changes of a row, and never goes back for a key.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::columns::Column;
use crate::postgres::extension;

/// The column `revision`, as the statements see it. What new rows begin with is a parameter of the statements:
/// see [`crate::refresh::deleted_revisions::first`].
#[derive(Debug, Clone)]
pub struct Revision {
    /// `pg_tview_revision`: the greatest revisions that were deleted.
    pub deleted: Oid,
}

impl Revision {
    /// None where the view returns the column itself, or the column is no `bigint` that refreshes may write.
    pub fn of(in_view: &[Column], in_table: &[Column]) -> Option<Revision> {
        let find = |columns: &[Column]| columns.iter().find(|column| column.name == "revision").cloned();
        find(in_table)
            .filter(|column| column.type_oid == pg_sys::INT8OID && find(in_view).is_none())
            .filter(|column| !column.generated && !column.identity_always)?;
        let deleted = extension::relation(c"pg_tview_revision")?;
        Some(Revision { deleted })
    }

    /// The assignment for rows that differ.
    pub fn next() -> &'static str {
        "revision = coalesce(tv.revision, 0) + 1"
    }
}
