//! What the owner of a TVIEW must have for it to be maintained: a view that the owner can answer for, and the right to put
//! triggers on its sources.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::{privileges, relation, role};
use crate::settings;

/// The view's code runs with the rights of the TVIEW's owner: whoever owns the view must have these anyway. A view of the
/// registered name may be anybody's who can create objects in its schema.
/// `table`: the TVIEW's, as it is shown.
pub fn check_view(table: &str, owner: Oid, view: Oid) -> Result<(), Problem> {
    let Some(of_view) = relation::owner(view).filter(|of_view| !role::has_rights_of(*of_view, owner)) else {
        return Ok(());
    };
    let view = relation::display(view);
    let (of_view, owner) = (role::name(of_view), role::name(owner));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("view {view} belongs to {of_view}, who does not have the rights of {owner}"),
    )
    .detail(format!(
        "What the view calls would run with the rights of {owner}, who owns {table}."
    ))
    .hint(format!("ALTER VIEW {view} OWNER TO {owner};")))
}

/// Capture triggers on a source cost its writers time, and log what they change.
pub fn check_sources(owner: Oid, sources: &[Oid]) -> Result<(), Problem> {
    if !settings::require_trigger_privilege() {
        return Ok(());
    }
    let lacking = |source: &Oid| {
        let owns = relation::owner(*source).is_some_and(|of_source| role::has_rights_of(owner, of_source));
        !owns && !privileges::may_add_triggers(owner, *source)
    };
    let Some(source) = sources.iter().find(|source| lacking(source)) else {
        return Ok(());
    };
    let (source, owner) = (relation::display(*source), role::name(owner));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for triggers on {source}"),
    )
    .detail(format!(
        "Its changes are followed by triggers, and {owner}, the owner of the TVIEW, may not create any on it."
    ))
    .hint(format!("GRANT TRIGGER ON {source} TO {owner};")))
}
