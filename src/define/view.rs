//! The backing view of a TVIEW: created or replaced from a query, or found and checked.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{fresh_view, patience};
use crate::catalog::columns::{self, Column};
use crate::catalog::entity::Entity;
use crate::catalog::owner::check_owner;
use crate::catalog::rights;
use crate::error::Problem;
use crate::lineage;
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::TableLock;
use crate::postgres::{privileges, quote, relation, role, run_as, transaction};
use crate::statement;

/// What was done to the backing view.
#[derive(Default)]
pub struct Defined {
    /// Whether a view was created, or the old one dropped and created again.
    pub created: bool,
    /// The columns of the view that had another query.
    pub replaced: Option<Vec<Column>>,
}

/// What becomes of a view that has another query.
pub enum Existing {
    /// It gets the query; with the fresh view that reads it.
    Replace(Option<Oid>),
    /// It stays, and the call fails.
    Keep,
}

/// Creates or replaces the backing view with the rights and the search_path of the caller. A view that has
/// this query already is not touched: replacing the view would block its readers. `existing`: what
/// becomes of a view with another query.
pub fn define(entity: &Entity, owner: Oid, query: &str, existing: Existing) -> Result<Defined, Problem> {
    let select = analyse(entity, query)?;
    let body = if select.collapse_repeated_columns() {
        select.sql()
    } else {
        query.trim().trim_end_matches(';').to_string()
    };
    let Some(old) = entity.find(&entity.view()) else {
        create(entity, &body);
        return Ok(Defined {
            created: true,
            replaced: None,
        });
    };
    check(entity, owner)?;
    check_owner(old)?;
    if has_query(old, &body) || reads_all_of(&entity.qualified(&entity.view()), &body) {
        return Ok(Defined::default());
    }
    match existing {
        Existing::Replace(fresh) => Ok(replace(entity, old, select, &body, fresh)),
        Existing::Keep => Err(has_another_query(entity)),
    }
}

/// Parses the query of a TVIEW, with the search_path of the caller.
pub fn analyse(entity: &Entity, query: &str) -> Result<Select, Problem> {
    let select = Select::analyse(query).ok_or_else(|| not_a_select(entity))?;
    // Refused before the view exists: a view that reads temporary tables would be temporary itself.
    run_as::pinned(|| lineage::analyse(select, &[]))?;
    Ok(select)
}

/// Gives a view another query. A view with other columns has to be dropped and created again, and so has its
/// fresh view.
fn replace(entity: &Entity, old: Oid, select: Select, body: &str, fresh: Option<Oid>) -> Defined {
    let view = entity.qualified(&entity.view());
    let columns_before = columns::of(old);
    let replaceable = spi::session(|| is_extended_by(&columns_before, select));
    let fresh = fresh.filter(|_| !replaceable);
    let locks = [old].into_iter().chain(fresh);
    let locks: Vec<_> = locks.map(|view| (view, TableLock::AccessExclusive)).collect();
    patience::lock_all(&locks);
    if replaceable {
        spi::run_for_user(&format!("CREATE OR REPLACE VIEW {view} AS {body}"));
    } else {
        let grants = spi::session(|| grants_on(old, &view));
        fresh.into_iter().for_each(fresh_view::drop);
        spi::run_for_user(&format!("DROP VIEW {view}"));
        create(entity, body);
        grants.iter().for_each(|grant| spi::run_for_user(grant));
    }
    Defined {
        created: !replaceable,
        replaced: Some(columns_before),
    }
}

/// DDL of the caller, so that event triggers run under the search_path they expect. Names without a schema
/// stand only in the query that the caller gave.
fn create(entity: &Entity, body: &str) {
    let view = entity.qualified(&entity.view());
    spi::run_for_user(&format!("CREATE VIEW {view} AS {body}"));
}

/// Finds and checks the backing view of a TVIEW. `owner`: the owner of the table, or of the table to be
/// created.
pub fn check(entity: &Entity, owner: Oid) -> Result<Oid, Problem> {
    let display = entity.qualified(&entity.view());
    let view = entity
        .find(&entity.view())
        .ok_or_else(|| missing(entity, &display))?;
    if relation::kind(view) != Some('v') {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is not a view"),
        )
        .hint(format!("Rename {display}: the backing view needs this name.")));
    }
    if relation::is_temporary(view) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is a temporary view"),
        )
        .detail("Background workers cannot see the temporary objects of a session.")
        .hint("Let the view read permanent tables only."));
    }
    // Before the caller's own privilege: reading the view would not be enough.
    rights::check_view(&entity.display(), owner, view)?;
    if !privileges::may_select(role::current_role(), view) {
        let caller = role::name(role::current_role());
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for view {display}"),
        )
        .hint(format!("Run GRANT SELECT ON {display} TO {caller};")));
    }
    Ok(view)
}

/// Refreshes read the view as the owner of the table.
pub fn check_reader(owner: Oid, view: Oid, table: Oid) -> Result<(), Problem> {
    if privileges::may_select(owner, view) {
        return Ok(());
    }
    let (view, owner) = (relation::display(view), role::name(owner));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("the owner of {} may not read {view}", relation::display(table)),
    )
    .hint(format!("Run GRANT SELECT ON {view} TO {owner};")))
}

fn not_a_select(entity: &Entity) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
        "the query of a TVIEW must be a single SELECT",
    )
    .detail("Other statements, several statements and SELECT INTO cannot define a view.")
    .hint(format!(
        "Run SELECT pg_tviews_create({}, 'SELECT ... FROM ...');",
        quote::literal(&entity.name)
    ))
}

fn has_another_query(entity: &Entity) -> Problem {
    let view = entity.qualified(&entity.view());
    Problem::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
        format!("the view {view} exists already, with another query"),
    )
    .detail("The view would be the backing view of the TVIEW.")
    .hint(format!(
        "Run SELECT pg_tviews_create({}, 'SELECT ...'); to replace the query of the view, or DROP VIEW {view};",
        quote::literal(&entity.display())
    ))
}

fn missing(entity: &Entity, display: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        format!("backing view {display} does not exist"),
    )
    .hint(format!(
        "Create the view, or pass its query: SELECT pg_tviews_create({}, 'SELECT ...');",
        quote::literal(&entity.name)
    ))
}

/// Whether a view has this query, perhaps written differently. Both are compared after the same passes
/// through the parser: the parser reads a stored view differently from a query.
pub fn has_query(view: Oid, query: &str) -> bool {
    same(|| Select::of_view(view).sql(), query)
}

/// Whether a query is `SELECT * FROM` the view. Who has the view may write the query of its TVIEW like that.
pub fn reads_all_of(view: &str, query: &str) -> bool {
    same(|| format!("SELECT * FROM {view}"), query)
}

fn same(written: impl FnOnce() -> String, query: &str) -> bool {
    let normal = |query: &str| Select::analyse(query).map(|select| select.sql());
    match transaction::attempt(|| normal(&written()) == normal(query)) {
        Ok(same) => same,
        Err(caught) if caught.is_cancel() => caught.raise(),
        Err(_) => false,
    }
}

/// Whether CREATE OR REPLACE VIEW accepts the query: columns may be added at the end, none may be changed.
fn is_extended_by(columns: &[Column], select: Select) -> bool {
    let mut targets = select.targets();
    targets.retain(|target| !target.hidden);
    columns.len() <= targets.len()
        && columns.iter().zip(&targets).all(|(column, target)| {
            let declared = (column.type_oid, column.modifier, column.collation);
            column.name == target.name && declared == target.expr.column_type()
        })
}

/// The GRANTs that give a new view the privileges of the view it replaces.
fn grants_on(view: Oid, name: &str) -> Vec<String> {
    let args = [
        (pg_sys::OIDOID, Value::of(view)),
        (pg_sys::TEXTOID, Value::of(name)),
    ];
    let rows = spi::run(&statement!("view_grants"), Access::Current, &args);
    (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
}
