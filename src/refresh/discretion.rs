//! Which roles may see error messages of an owner's code: the owner, and members of pg_monitor. Such messages
//! may have values of rows that other callers of a function are not allowed to read.

use crate::catalog::definition::Definition;
use crate::error::{Caught, Problem};
use crate::postgres::permit::has_rights;
use crate::postgres::role::{self, monitoring_role};
use crate::postgres::transaction;

/// Classes of SQLSTATE whose messages have no values of rows: conflicts with other sessions, and limits of
/// the server.
const WITHOUT_VALUES: [&str; 5] = ["40", "53", "55", "57", "58"];

/// Whether all roles in whose name this session runs may see the messages.
pub fn may_see(definition: &Definition) -> bool {
    has_rights(definition.owner) || has_rights(monitoring_role())
}

/// Runs code of the owner. An ERROR keeps its SQLSTATE. Its message is replaced for roles that may not see
/// it.
pub fn discreetly<R>(definition: &Definition, work: impl FnOnce() -> R) -> R {
    if may_see(definition) {
        return work();
    }
    transaction::attempt(work).unwrap_or_else(|caught| without_values(definition, caught).raise())
}

fn without_values(definition: &Definition, caught: Caught) -> Problem {
    if WITHOUT_VALUES.contains(&&caught.sqlstate()[..2]) {
        return caught.into();
    }
    Problem::new(
        caught.code,
        format!("rows of {} could not be computed", definition.display()),
    )
    .detail("The message may have values of rows: it is shown to the owner of the TVIEW and to members of pg_monitor.")
    .hint(format!("Run the command as {}.", role::name(definition.owner)))
}
