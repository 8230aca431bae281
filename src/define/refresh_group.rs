//! The column `refresh_group` of `pg_tview_meta`: the TVIEWs that are refreshed in one transaction.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::definition_row;
use crate::catalog::announce;
use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::by_whom;
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::Value;
use crate::postgres::{quote, relation, role};
use crate::refresh::audit::{self, Entry};
use crate::statement;

/// Maximum length of a name of a group, in bytes, as of any other name.
const LONGEST: usize = 63;

/// Puts a TVIEW into a group; None: takes it out of its group.
pub fn change(tview: Oid, group: Option<String>) {
    if let Some(group) = &group {
        check_name(group).or_raise();
        check_owners(tview, group).or_raise();
    }
    let value = (pg_sys::TEXTOID, Value::of(group.clone()));
    let definition = definition_row::write_column(tview, &statement!("meta_set_refresh_group"), value);
    let mut entry = Entry::new(&definition.entity_name, tview, "configure", audit::now());
    let mut details = by_whom();
    details["refresh_group"] = group.into();
    entry.details = Some(details);
    audit::add(entry);
    announce::catalog_change();
}

fn check_name(group: &str) -> Result<(), Problem> {
    let problem = if group.trim().is_empty() {
        "refresh_group must not be empty".to_string()
    } else if group.len() > LONGEST {
        format!("refresh_group must not be longer than {LONGEST} bytes")
    } else if group.chars().any(char::is_control) {
        "refresh_group must not contain control characters".to_string()
    } else {
        return Ok(());
    };
    Err(
        Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, problem)
            .hint("Set it to a name such as 'shop', or to NULL to take the TVIEW out of its group."),
    )
}

/// The code of one owner must not run in a process that has run code of another one. So TVIEWs of several owners
/// cannot be refreshed in one transaction.
fn check_owners(tview: Oid, group: &str) -> Result<(), Problem> {
    let owner = relation::owner(tview);
    let other = run_internal(definition::load_all)
        .into_iter()
        .filter(|other| other.refresh_group.as_deref() == Some(group) && other.tview != tview)
        .find(|other| Some(other.owner) != owner);
    match (other, owner) {
        (Some(other), Some(owner)) => Err(another_owner(tview, owner, group, &other)),
        _ => Ok(()),
    }
}

fn another_owner(tview: Oid, owner: Oid, group: &str, other: &Definition) -> Problem {
    let (table, other_table) = (relation::display(tview), other.display());
    Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("the group {} has TVIEWs of another owner", quote::literal(group)),
    )
    .detail(format!(
        "{other_table} belongs to {}, {table} to {}. The TVIEWs of a group are refreshed in one transaction, with the rights of one role.",
        role::name(other.owner),
        role::name(owner)
    ))
    .hint(format!(
        "Choose another name for the group, or run ALTER TABLE {table} OWNER TO {}; first.",
        role::name(other.owner)
    ))
}
