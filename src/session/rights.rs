//! What a session may know of a TVIEW.

use pgrx::PgSqlErrorCode;

use crate::catalog::definition::Definition;
use crate::error::Problem;
use crate::postgres::{privileges, role};

/// An error unless the caller may read the table, or has the rights of its owner.
pub fn check_reader(definition: &Definition) -> Result<(), Problem> {
    let caller = role::current_role();
    if role::has_rights_of(caller, definition.owner) || privileges::may_select(caller, definition.tview) {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for table {}", definition.display()),
    )
    .hint(format!(
        "Run GRANT SELECT ON {} TO {}; as the owner of the table.",
        definition.display(),
        role::name(caller)
    )))
}
