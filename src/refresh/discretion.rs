//! Messages of errors hold values of rows that a role which may call a function need not be allowed to read: those of an owner's
//! code go to the owner and to who monitors.

use crate::catalog::definition::Definition;
use crate::error::{Caught, Problem};
use crate::postgres::permit::has_rights;
use crate::postgres::role::{self, monitoring_role};
use crate::postgres::transaction;

/// Classes of SQLSTATE of which PostgreSQL's own messages hold no values: somebody is in the way, or the server has a limit.
const WITHOUT_VALUES: [&str; 5] = ["40", "53", "55", "57", "58"];

/// Whether all in whose name this runs may see the messages.
pub fn may_see(definition: &Definition) -> bool {
    has_rights(definition.owner) || has_rights(monitoring_role())
}

/// Runs code of the owner; an ERROR keeps its SQLSTATE, and its message for those who may see it.
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
    .detail("The message may hold values of rows: it is shown to the owner of the TVIEW and to members of pg_monitor.")
    .hint(format!("Call it as {}.", role::name(definition.owner)))
}
