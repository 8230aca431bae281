//! The owner of a TVIEW is the owner of its table: only the owner may change the TVIEW.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::{relation, role};

/// Checks that the current role has the rights of the owner.
pub fn check_owner(table: Oid) -> Result<(), Problem> {
    let current = role::current_role();
    if relation::owner(table).is_some_and(|owner| role::has_rights_of(current, owner)) {
        return Ok(());
    }
    Err(must_own(table))
}

/// "Must be owner".
pub fn must_own(table: Oid) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("must be owner of table {}", relation::display(table)),
    )
    .hint(match relation::owner(table) {
        Some(owner) if role::may_become(owner) => format!("Run SET ROLE {}; first.", role::name(owner)),
        Some(owner) => format!("Run the command as {}.", role::name(owner)),
        None => "Ask the owner of the table.".to_string(),
    })
}

/// The current role, for the details of an audit row.
pub fn by_whom() -> serde_json::Value {
    serde_json::json!({ "role": role::name(role::current_role()) })
}
