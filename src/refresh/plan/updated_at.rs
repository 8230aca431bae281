//! The column `updated_at` of a tv table: it gets the time at which a refresh changes the row.

use crate::catalog::columns::Column;
use crate::postgres::type_facts;

/// `updated_at = now()`, for the UPDATE of rows that differ. None where the view returns the column itself, or the column
/// takes no time.
pub fn assignment(in_view: &[Column], in_table: &[Column]) -> Option<String> {
    let find = |columns: &[Column]| columns.iter().find(|column| column.name == "updated_at").cloned();
    find(in_table)
        .filter(|column| !column.generated && find(in_view).is_none())
        .filter(|column| type_facts::takes_the_time(column.type_oid, column.modifier))
        .map(|_| "updated_at = now()".to_string())
}
