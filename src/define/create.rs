//! `pg_tviews_create`: from a name and perhaps a query to a registered TVIEW.

use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::notice::Notice;
use super::register::{self, Fill};
use super::{follow_columns, own_ddl, patience, subscriptions, untracked_inputs};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::{self, Definition, State};
use crate::catalog::name::{self, Entity};
use crate::catalog::owner::{by_whom, check_owner};
use crate::catalog::{limits, rights};
use crate::error::{OrRaise, Problem};
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, TableLock};
use crate::postgres::{privileges, quote, relation, role, run_as, type_facts};
use crate::refresh::plan::{self, key_column, Plan};

/// What the caller of pg_tviews_create says.
pub struct Request {
    pub name: String,
    pub query: Option<String>,
    pub max_latency: Option<Duration>,
    pub key_columns: Option<Vec<String>>,
    /// The function that was called.
    pub called: &'static str,
}

/// The entity that is meant, and its table if there is one: locked against refreshes.
struct Target {
    entity: Entity,
    table: Option<Oid>,
    before: Option<Definition>,
}

/// What was made.
struct Made {
    plan: Rc<Plan>,
    notices: Vec<Notice>,
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
    let made = patience::patiently(|| target(&request.name), |target| define(&request, target));
    made.notices.into_iter().for_each(Notice::say);
    register::report_full(&made.plan);
    untracked_inputs::warn(&made.plan);
    subscriptions::leave();
    made.plan.definition.tview
}

fn target(name: &str) -> Target {
    let entity = name::resolve(name).or_raise();
    let table = entity.find(&entity.table());
    if let Some(table) = table {
        check_table(table, &entity).or_raise();
        // Before the view is touched: a refresh takes this lock first, too.
        lock_tview(table);
    }
    Target {
        before: table.and_then(|table| run_as::run_internal(|| definition::load(table))),
        entity,
        table,
    }
}

fn define(request: &Request, target: Target) -> Made {
    let Target {
        entity,
        table: existing,
        before,
    } = target;
    let old_view = entity.find(&entity.view());
    let owner = existing
        .and_then(relation::owner)
        .unwrap_or_else(role::current_role);
    let mut notices = Vec::new();
    let mut defined = Defined::default();
    if let Some(query) = &request.query {
        limits::check_query(query).or_raise();
        defined = own_ddl::defining(existing, || define_view(&entity, owner, query)).or_raise();
        if let (Some(before), Some(_)) = (&before, &defined.replaced) {
            refuse_another_case(request, before);
            notices.push(Notice::another_query(before));
        }
    }
    let view = backing_view(&entity, owner).or_raise();
    let in_view = columns::of(view);
    if let (Some(table), Some(before)) = (existing, &before) {
        let changed = defined.replaced.as_deref();
        notices.extend(own_ddl::defining(existing, || {
            follow_columns::follow(table, before, changed, &in_view)
        }));
    }
    let key = key_columns(request, &entity, existing, before.as_ref(), &in_view);
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
    notices.extend(ensure_unique(table, &entity, &key));
    check_reader(owner, view, table);
    let is_ours = |before: &Definition| before.view_created && Some(before.seen_view) == old_view;
    let mut definition = Definition {
        tview: table,
        table_created: existing.is_none() || before.as_ref().is_some_and(|before| before.table_created),
        entity_name: entity.name.clone(),
        view_schema: entity.schema.clone(),
        view_name: entity.view(),
        view_created: defined.made || before.as_ref().is_some_and(is_ours),
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
    let plan = run_as::run_internal(|| plan::prepare(definition)).or_raise();
    let operation = if before.is_some() { "redefine" } else { "create" };
    let mut details = by_whom();
    details["function"] = request.called.into();
    register::register(&plan, Fill::IfSmall, operation, details);
    Made { plan, notices }
}

fn key_columns(
    request: &Request,
    entity: &Entity,
    table: Option<Oid>,
    before: Option<&Definition>,
    in_view: &[Column],
) -> Vec<String> {
    let in_table = table.map(|table| (table, columns::of(table)));
    let named = request.key_columns.clone().or_else(|| kept_key(before, in_view));
    let in_table = in_table.as_ref().map(|(oid, columns)| (*oid, &columns[..]));
    let key = spi::session(|| columns::pick_key(entity, in_view, in_table, named)).or_raise();
    check_key_types(entity, &key, in_view, in_table.map(|(_, columns)| columns)).or_raise();
    key
}

/// Before the unique index is made, whose error would say less.
fn check_key_types(
    entity: &Entity,
    key: &[String],
    in_view: &[Column],
    in_table: Option<&[Column]>,
) -> Result<(), Problem> {
    let table = entity.qualified(&entity.table());
    let of_view = format!(" of {}", entity.qualified(&entity.view()));
    let of_table = format!(" of {table}");
    for of_key in in_view.iter().filter(|column| key.contains(&column.name)) {
        key_column::check_type(of_key, &of_view)?;
        let same = in_table.and_then(|columns| columns.iter().find(|column| column.name == of_key.name));
        same.map_or(Ok(()), |same| key_column::check_type(same, &of_table))
            .map_err(|problem| {
                problem.hint(format!(
                    "ALTER TABLE {table} ALTER COLUMN {} TYPE {};",
                    quote::identifier(&of_key.name),
                    type_facts::display(of_key.type_oid, of_key.modifier)
                ))
            })?;
    }
    Ok(())
}

/// `Order` without quotes is `order`: whoever means to make another TVIEW must not replace this one.
fn refuse_another_case(request: &Request, before: &Definition) {
    if name::is_folded(&request.name) {
        let quoted = quote::literal(&name::quoted(&request.name));
        Problem::new(
            PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
            format!("TVIEW {} exists already, with another query", before.display()),
        )
        .detail(format!(
            "A name without quotes is folded to lower case: {}.",
            request.name
        ))
        .hint(format!(
            "SELECT pg_tviews_create({quoted}, ...); makes another TVIEW, SELECT pg_tviews_create({}, ...); redefines this one.",
            quote::literal(&before.display())
        ))
        .raise();
    }
}

/// Refreshes read the view as the owner of the table.
fn check_reader(owner: Oid, view: Oid, table: Oid) {
    if privileges::may_select(owner, view) {
        return;
    }
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
        role::name(owner)
    ))
    .raise();
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

/// The view of a TVIEW whose table is, or will be, that of `owner`.
fn backing_view(entity: &Entity, owner: Oid) -> Result<Oid, Problem> {
    let display = entity.qualified(&entity.view());
    let Some(view) = entity.find(&entity.view()) else {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("backing view {display} does not exist"),
        )
        .hint(format!(
            "Create the view, or pass its query: SELECT pg_tviews_create({}, 'SELECT ...');",
            quote::literal(&entity.name)
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
    // Reading it would not do.
    rights::check_view(&entity.qualified(&entity.table()), owner, view)?;
    if !privileges::may_select(role::current_role(), view) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for view {display}"),
        )
        .hint(format!(
            "GRANT SELECT ON {display} TO {};",
            role::name(role::current_role())
        )));
    }
    Ok(view)
}

/// What became of the backing view.
#[derive(Default)]
struct Defined {
    /// There is a new one.
    made: bool,
    /// The columns it had with another query.
    replaced: Option<Vec<Column>>,
}

/// Creates or replaces the backing view as the caller, with the caller's rights and search_path. A view that has this query
/// already is left alone: replacing it keeps its readers waiting.
fn define_view(entity: &Entity, owner: Oid, query: &str) -> Result<Defined, Problem> {
    let select = Select::analyse(query).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
            "the query of a TVIEW must be a single SELECT",
        )
        .detail("Other statements, several statements and SELECT INTO cannot define a view.")
        .hint(format!(
            "SELECT pg_tviews_create({}, 'SELECT ... FROM ...');",
            quote::literal(&entity.name)
        ))
    })?;
    // Refused here, before a view over it exists (a view over temporary tables would be temporary).
    run_as::pinned(|| crate::lineage::analyse(select, &[]))?;
    let body = if select.collapse_repeated_columns() {
        select.sql()
    } else {
        query.trim().trim_end_matches(';').to_string()
    };
    let view = entity.qualified(&entity.view());
    let Some(old) = entity.find(&entity.view()) else {
        execute(&format!("CREATE VIEW {view} AS {body}"));
        return Ok(Defined {
            made: true,
            replaced: None,
        });
    };
    backing_view(entity, owner)?;
    check_owner(old)?;
    if has_query(old, &body) {
        return Ok(Defined::default());
    }
    let columns_before = columns::of(old);
    let replaceable = spi::session(|| is_extended_by(&columns_before, select));
    patience::lock_all(&[(old, TableLock::AccessExclusive)]);
    if replaceable {
        execute(&format!("CREATE OR REPLACE VIEW {view} AS {body}"));
    } else {
        let grants = spi::session(|| grants_on(old, &view));
        execute(&format!("DROP VIEW {view}"));
        execute(&format!("CREATE VIEW {view} AS {body}"));
        grants.iter().for_each(|grant| execute(grant));
    }
    Ok(Defined {
        made: !replaceable,
        replaced: Some(columns_before),
    })
}

/// Whether a view has this query, be it in other words. Both go the same way through the parser: what it makes of a view is not
/// what it makes of a query.
fn has_query(view: Oid, query: &str) -> bool {
    let normal = |query: &str| Select::analyse(query).map(|select| select.sql());
    let same = || normal(&Select::of_view(view).sql()) == normal(query);
    match transaction::attempt(same) {
        Ok(same) => same,
        Err(caught) if caught.is_cancel() => Problem::from(caught).raise(),
        Err(_) => false,
    }
}

/// Whether CREATE OR REPLACE VIEW takes the query: it may add columns at the end and change none.
fn is_extended_by(columns: &[Column], select: Select) -> bool {
    let mut targets = select.targets();
    targets.retain(|target| !target.hidden);
    columns.len() <= targets.len()
        && columns.iter().zip(&targets).all(|(column, target)| {
            let declared = (column.type_oid, column.modifier, column.collation);
            column.name == target.name && declared == target.expr.column_type()
        })
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
    let key: Vec<String> = key.iter().map(|name| quote::identifier(name)).collect();
    // Room on each page keeps updates of a document on the page its row is on.
    execute(&format!(
        "CREATE TABLE {} ({}, PRIMARY KEY ({})) WITH (fillfactor = 85)",
        entity.qualified(&entity.table()),
        columns.join(", "),
        key.join(", ")
    ));
}

/// Rows are found by key: without a unique index on it every refresh would read the whole table.
fn ensure_unique(table: Oid, entity: &Entity, key: &[String]) -> Option<Notice> {
    if columns::has_unique_index(table, key) {
        return None;
    }
    let columns: Vec<String> = key.iter().map(|name| quote::identifier(name)).collect();
    let columns = columns.join(", ");
    let display = relation::display(table);
    patience::lock_all(&[(table, TableLock::ShareRowExclusive)]);
    let made = transaction::attempt(|| execute(&format!("CREATE UNIQUE INDEX ON {display} ({columns})")));
    match made {
        Ok(()) => Some(Notice::new(format!(
            "created a unique index on {display} ({columns}), the key of the TVIEW"
        ))),
        Err(caught) if caught.code != PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => Problem::from(caught).raise(),
        Err(caught) => Problem::new(
            caught.code,
            format!("the key ({columns}) of TVIEW \"{}\" is not unique in {display}", entity.name),
        )
        .detail(caught.message)
        .hint(format!(
            "Remove the duplicates, or name another key: SELECT pg_tviews_create({}, key_columns => '{{...}}');",
            quote::literal(&entity.name)
        ))
        .raise(),
    }
}

/// DDL as the caller's own, so that event triggers find the search_path they know. Its only names without a schema are in
/// the query that the caller gave.
fn execute(sql: &str) {
    spi::run_for_user(sql);
}
