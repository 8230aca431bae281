//! `pg_tviews_create`: from a name and perhaps a query to a registered TVIEW.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::columns::{self, Column};
use super::ddl;
use super::definition::{self, Definition, State};
use super::name::{self, Entity};
use super::register::{self, Fill};
use super::{not_followed, subscriptions};
use crate::error::{OrRaise, Problem};
use crate::postgres::identity;
use crate::postgres::lock;
use crate::postgres::query_tree::Select;
use crate::postgres::relation;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::refresh::plan;

/// What the caller of pg_tviews_create says.
pub struct Request {
    pub name: String,
    pub query: Option<String>,
    pub max_latency: Option<Duration>,
    pub key_columns: Option<Vec<String>>,
    /// The function that was called.
    pub called: &'static str,
}

/// Creates or redefines a TVIEW; returns its table. Raises every problem.
pub fn create(request: Request) -> Oid {
    if !transaction::is_read_committed() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "pg_tviews_create needs the isolation level READ COMMITTED",
        )
        .detail("The snapshot of this transaction may be older than the triggers it would install.")
        .hint("BEGIN ISOLATION LEVEL READ COMMITTED;")
        .raise();
    }
    let entity = name::resolve(&request.name).or_raise();
    let existing = entity.find(&entity.table());
    if let Some(table) = existing {
        check_table(table, &entity).or_raise();
        // Before the view is touched: a refresh takes this lock first, too.
        lock_tview(table);
    }
    let before = existing.and_then(|table| identity::run_internal(|| definition::load(table)));
    let view_existed = entity.find(&entity.view()).is_some();
    if let Some(query) = &request.query {
        ddl::defining(existing, || define_view(&entity, query)).or_raise();
    }
    let view = backing_view(&entity).or_raise();
    let in_view = columns::of(view);
    let in_table = existing.map(|table| (table, columns::of(table)));
    let named = request
        .key_columns
        .clone()
        .or_else(|| kept_key(before.as_ref(), &in_view));
    let key = spi::session(|| {
        columns::pick_key(
            &entity,
            &in_view,
            in_table.as_ref().map(|(oid, c)| (*oid, &c[..])),
            named,
        )
    })
    .or_raise();
    let table = match existing {
        Some(table) => table,
        None => {
            make_table(&entity, &in_view, &key);
            let table = entity
                .find(&entity.table())
                .unwrap_or_else(|| pgrx::error!("the table was not created"));
            lock_tview(table);
            table
        }
    };
    ensure_unique(table, &entity, &key);
    let owner = relation::owner(table).unwrap_or_else(identity::current_role);
    if !relation::may_select(owner, view) {
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "the owner of {} may not read {}",
                relation::display(table),
                relation::display(view)
            ),
        )
        .hint(format!(
            "GRANT SELECT ON {} TO {};",
            relation::display(view),
            relation::role_name(owner)
        ))
        .raise();
    }
    let mut definition = Definition {
        tview: table,
        entity_name: entity.name.clone(),
        view_schema: entity.schema.clone(),
        view_name: entity.view(),
        view_created: match &before {
            Some(before) => before.view_created,
            None => request.query.is_some() && !view_existed,
        },
        key_columns: key,
        fk_columns: before.as_ref().map(|b| b.fk_columns.clone()).unwrap_or_default(),
        state: State::Populating,
        sources: Vec::new(),
        pinned: Vec::new(),
        hash: String::new(),
        owner,
        seen_view: view,
        max_latency: request
            .max_latency
            .or(before.as_ref().and_then(|b| b.max_latency)),
    };
    spi::session(|| register::pin_settings(&mut definition));
    let plan = identity::run_internal(|| plan::prepare(definition)).or_raise();
    register::report_full(&plan);
    not_followed::warn(&plan);
    let operation = if before.is_some() { "redefine" } else { "create" };
    let mut details = by_whom();
    details["function"] = request.called.into();
    register::register(&plan, Fill::IfSmall, operation, details);
    subscriptions::leave();
    table
}

/// Who did it, for the audit.
pub fn by_whom() -> serde_json::Value {
    serde_json::json!({ "role": relation::role_name(identity::current_role()) })
}

/// Redefinition keeps the key while the view still has it.
fn kept_key(before: Option<&Definition>, view: &[Column]) -> Option<Vec<String>> {
    let key = &before?.key_columns;
    key.iter()
        .all(|name| view.iter().any(|column| column.name == *name))
        .then(|| key.clone())
}

fn lock_tview(table: Oid) {
    match definition::table() {
        Some(class) => lock::object(class, table),
        None => Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the extension pg_tviews is not installed in this database",
        )
        .hint("CREATE EXTENSION pg_tviews;")
        .raise(),
    }
}

fn check_table(table: Oid, entity: &Entity) -> Result<(), Problem> {
    let display = relation::display(table);
    if relation::kind(table) != Some('r') {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is not an ordinary table"),
        )
        .detail("A TVIEW is maintained in an ordinary table: not a view, a partitioned, a foreign or a temporary one.")
        .hint(format!("Rename or drop {display}; pg_tviews_create then makes the table {}.", entity.table())));
    }
    if relation::is_temporary(table) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is a temporary table"),
        )
        .hint("Use a permanent table."));
    }
    check_owner(table)
}

/// Only the owner manages a TVIEW.
pub fn check_owner(table: Oid) -> Result<(), Problem> {
    let current = identity::current_role();
    if relation::owner(table).is_some_and(|owner| identity::has_rights_of(current, owner)) {
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
        Some(owner) => format!("SET ROLE {};", relation::role_name(owner)),
        None => "Ask the owner of the table.".to_string(),
    })
}

fn backing_view(entity: &Entity) -> Result<Oid, Problem> {
    let display = entity.qualified(&entity.view());
    let Some(view) = entity.find(&entity.view()) else {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("backing view {display} does not exist"),
        )
        .hint(format!(
            "Create the view, or pass its query: SELECT pg_tviews_create({}, 'SELECT ...');",
            relation::quote_literal(&entity.name)
        )));
    };
    if relation::kind(view) != Some('v') {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is not a view"),
        )
        .hint(format!(
            "Rename {display}: the name is taken by convention for the backing view."
        )));
    }
    if relation::is_temporary(view) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is a temporary view"),
        )
        .detail("Background workers cannot see the temporary objects of a session.")
        .hint("Let the view read permanent tables only."));
    }
    if !relation::may_select(identity::current_role(), view) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for view {display}"),
        )
        .hint(format!(
            "GRANT SELECT ON {display} TO {};",
            relation::role_name(identity::current_role())
        )));
    }
    Ok(view)
}

/// Creates or replaces the backing view as the caller, with the caller's rights and search_path.
fn define_view(entity: &Entity, query: &str) -> Result<(), Problem> {
    let select = Select::analyse(query).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
            "the query of a TVIEW must be a single SELECT",
        )
        .detail("Other statements, several statements and SELECT INTO cannot define a view.")
        .hint(format!(
            "SELECT pg_tviews_create({}, 'SELECT ... FROM ...');",
            relation::quote_literal(&entity.name)
        ))
    })?;
    // Refused here, before a view over it exists (a view over temporary tables would be temporary).
    identity::pinned(|| crate::lineage::analyse(select, &[]))?;
    let body = if select.collapse_repeated_columns() {
        select.sql()
    } else {
        query.trim().trim_end_matches(';').to_string()
    };
    let view = entity.qualified(&entity.view());
    let old = entity.find(&entity.view());
    if let Some(old) = old {
        backing_view(entity)?;
        check_owner(old)?;
        let replaceable = spi::session(|| {
            let now = columns::of(old);
            let mut targets = select.targets();
            targets.retain(|target| !target.hidden);
            now.len() <= targets.len()
                && now.iter().zip(&targets).all(|(column, target)| {
                    let declared = (column.type_oid, column.modifier, column.collation);
                    column.name == target.name && declared == target.expr.column_type()
                })
        });
        if !replaceable {
            let grants = spi::session(|| grants_on(old, &view));
            execute(&format!("DROP VIEW {view}"));
            execute(&format!("CREATE VIEW {view} AS {body}"));
            grants.iter().for_each(|grant| execute(grant));
            return Ok(());
        }
    }
    execute(&format!("CREATE OR REPLACE VIEW {view} AS {body}"));
    Ok(())
}

/// The GRANTs that give a new view the privileges of the one it takes the place of.
fn grants_on(view: Oid, name: &str) -> Vec<String> {
    let rows = spi::run(
        "SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $2,
                       CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                       CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
           FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
          WHERE c.oid = $1 AND a.grantee <> c.relowner",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(view)),
            (pg_sys::TEXTOID, Value::of(name)),
        ],
    );
    (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
}

fn make_table(entity: &Entity, view: &[Column], key: &[String]) {
    let columns: Vec<String> = view.iter().map(Column::sql).collect();
    let key: Vec<String> = key.iter().map(|name| relation::quote(name)).collect();
    // Room on each page keeps updates of a document on the page its row is on.
    execute(&format!(
        "CREATE TABLE {} ({}, PRIMARY KEY ({})) WITH (fillfactor = 85)",
        entity.qualified(&entity.table()),
        columns.join(", "),
        key.join(", ")
    ));
}

/// Rows are found by key: without a unique index on it every refresh would read the whole table.
fn ensure_unique(table: Oid, entity: &Entity, key: &[String]) {
    if columns::has_unique_index(table, key) {
        return;
    }
    let columns: Vec<String> = key.iter().map(|name| relation::quote(name)).collect();
    let columns = columns.join(", ");
    let display = relation::display(table);
    let made = transaction::attempt(|| execute(&format!("CREATE UNIQUE INDEX ON {display} ({columns})")));
    match made {
        Ok(()) => pgrx::notice!("created a unique index on {display} ({columns}), the key of the TVIEW"),
        Err(caught) if caught.code != PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => Problem::from(caught).raise(),
        Err(caught) => Problem::new(
            caught.code,
            format!("the key ({columns}) of TVIEW {:?} is not unique in {display}", entity.name),
        )
        .detail(caught.message)
        .hint(format!(
            "Remove the duplicates, or name another key: SELECT pg_tviews_create({}, key_columns => '{{...}}');",
            relation::quote_literal(&entity.name)
        ))
        .raise(),
    }
}

/// DDL as the caller's own, so that event triggers find the search_path they know. Its only names without a schema are in
/// the query that the caller gave.
fn execute(sql: &str) {
    spi::run_for_user(sql);
}
