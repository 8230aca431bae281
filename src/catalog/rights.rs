//! Rights that the maintenance of a TVIEW needs. The owner of the view must have the rights of the TVIEW's
//! owner, and the TVIEW's owner the privilege to create triggers on the sources.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::{extension, privileges, relation, role};
use crate::settings;

/// What reports of definitions need: the privilege to read pg_tview_meta, which all roles have by default.
pub fn check_meta_reader() -> Result<(), Problem> {
    let Some(meta) = extension::relation(c"pg_tview_meta") else {
        return Ok(());
    };
    let role = role::current_role();
    if privileges::may_select(role, meta) {
        return Ok(());
    }
    let (meta, role) = (relation::display(meta), role::name(role));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for view {meta}"),
    )
    .hint(format!("Run GRANT SELECT ON {meta} TO {role};")))
}

/// Code of the view runs with the rights of the TVIEW's owner, so the owner of the view must have these
/// rights anyway. Any role that may create objects in the schema can create a view of the registered name.
/// `table`: as messages name it.
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
    .hint(format!("Run ALTER VIEW {view} OWNER TO {owner};")))
}

/// Capture triggers on a source slow down its writers and log their changes. So the owner of the TVIEW needs
/// the privilege TRIGGER on the source.
pub fn check_sources(owner: Oid, sources: &[Oid]) -> Result<(), Problem> {
    if !settings::require_trigger_privilege() {
        return Ok(());
    }
    let Some(source) = sources.iter().find(|source| !may_slow_writers(owner, **source)) else {
        return Ok(());
    };
    let (source, owner) = (relation::display(*source), role::name(owner));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for triggers on {source}"),
    )
    .detail(format!(
        "Triggers on {source} capture its changes, and {owner}, the owner of the TVIEW, may not create triggers there."
    ))
    .hint(format!("Run GRANT TRIGGER ON {source} TO {owner};")))
}

/// Whether the owner of a TVIEW could slow down the writers of a source anyway, by triggers.
pub fn may_slow_writers(owner: Oid, source: Oid) -> bool {
    let owns = relation::owner(source).is_some_and(|of_source| role::has_rights_of(owner, of_source));
    owns || privileges::may_add_triggers(owner, source)
}
