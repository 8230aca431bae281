//! `pg_tviews_create`: from a name and perhaps a query to a registered TVIEW.

use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::effect::{self, Effect};
use super::fill::Fill;
use super::notice::Notice;
use super::view::{self, Defined, Existing};
use super::{
    definition_row, follow_columns, fresh_name, fresh_source, fresh_view, full_recomputes, key, own_ddl,
    patience, pinned_settings, register, subscriptions, table, untracked_inputs,
};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::{self, Definition};
use crate::catalog::entity::Entity;
use crate::catalog::owner::by_whom;
use crate::catalog::state::State;
use crate::catalog::{announce, limits, name, version};
use crate::error::{OrRaise, Problem};
use crate::postgres::hooks::table_as::TableAs;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, lock};
use crate::postgres::{quote, relation, relation_changes, role, spi};
use crate::refresh::audit::{self, Entry};
use crate::refresh::feed;
use crate::refresh::plan::{self, Plan};
use crate::settings::AllowFull;

/// The arguments of pg_tviews_create.
pub struct Request {
    pub name: String,
    pub query: Option<String>,
    pub max_latency: Option<Duration>,
    pub key_columns: Option<Vec<String>>,
    /// Whether there may be sources of which any change recomputes all rows.
    pub allow_full: AllowFull,
    /// The SQL function or statement that was called.
    pub called: &'static str,
    pub triggers: Triggers,
    /// The CREATE TABLE AS that asks for the TVIEW: it creates the table, and replaces no view.
    pub statement: Option<TableAs>,
    pub made: Made,
}

/// What the extension has created for the TVIEW before the call, as if the call had done it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Made {
    pub view: bool,
    pub table: bool,
}

/// Who installs the triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggers {
    /// The call: changes are followed from its commit on. Writers are kept out until then.
    Now,
    /// A worker, after the commit.
    ByWorker,
}

/// The entity that the caller names, with its table and definition if they exist. The table is locked against
/// refreshes.
struct Target {
    entity: Entity,
    table: Option<Oid>,
    before: Option<Definition>,
    /// The owner of the table, or of the table to be created.
    owner: Oid,
    /// The backing view before the call.
    view: Option<Oid>,
}

/// The TVIEW that the call was about, and what to report.
struct Created {
    plan: Rc<Plan>,
    effect: Effect,
    notices: Vec<Notice>,
}

/// Creates or redefines a TVIEW; returns its table. Raises every problem.
pub fn create(request: Request) -> Oid {
    version::check().or_raise();
    check_isolation(request.called).or_raise();
    let created = patience::patiently(|| target(&request.name), |target| define(&request, &target));
    if request.triggers == Triggers::Now {
        created.effect.notice(&created.plan.definition).send();
    }
    created.notices.into_iter().for_each(Notice::send);
    full_recomputes::report(&created.plan, request.allow_full);
    untracked_inputs::warn(&created.plan);
    subscriptions::leave();
    created.plan.definition.tview
}

fn check_isolation(called: &str) -> Result<(), Problem> {
    if transaction::is_read_committed() {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        format!("{called} needs the isolation level READ COMMITTED"),
    )
    .detail("The snapshot of this transaction may be older than the triggers it would install.")
    .hint("Run BEGIN ISOLATION LEVEL READ COMMITTED; before the call."))
}

fn target(name: &str) -> Target {
    let entity = name::resolve(name).or_raise();
    let table = entity.find(&entity.table());
    if let Some(table) = table {
        table::check(table, &entity).or_raise();
        // Before the view is touched: a refresh also takes this lock first.
        lock_tview(table);
    }
    Target {
        before: table.and_then(|table| run_internal(|| definition::load(table))),
        owner: table.and_then(relation::owner).unwrap_or_else(role::current_role),
        view: entity.find(&entity.view()),
        entity,
        table,
    }
}

/// Creates what is missing, view, table and index, and registers the TVIEW.
fn define(request: &Request, target: &Target) -> Created {
    let entity = &target.entity;
    let before = target.before.as_ref();
    if request.statement.is_some() && target.table.is_some() {
        table::exists(entity).raise();
    }
    let mut notices = Vec::new();
    let fresh = before.and_then(fresh_name::find);
    let keys_before = before.map(|before| key_types(target.view, &before.key_columns));
    let defined = define_view(request, target, fresh, &mut notices);
    let view = view::check(entity, target.owner).or_raise();
    let in_view = columns::of(view);
    if let (Some(table), Some(before)) = (target.table, before) {
        let replaced = defined.replaced.as_deref();
        notices.extend(own_ddl::defining(target.table, || {
            follow_columns::follow(table, before, replaced, &in_view)
        }));
    }
    let named = request.key_columns.clone();
    let queried = request.query.is_some();
    let key = key::choose(entity, named, before, &in_view, target.table, queried).or_raise();
    let table = target
        .table
        .unwrap_or_else(|| create_table(request, entity, &in_view, &key));
    notices.extend(table::ensure_unique(table, entity, &key));
    view::check_reader(target.owner, view, table).or_raise();
    let mut definition = definition(request, target, table, view, key);
    let created_before = |before: &Definition| before.view_created && Some(before.seen_view) == target.view;
    definition.view_created = defined.created || request.made.view || before.is_some_and(created_before);
    let plan = run_internal(|| plan::prepare(definition)).or_raise();
    fresh_source::refuse_below(&plan.definition, plan.view_oids()).or_raise();
    let effect = effect::of(&plan, before, &defined, !notices.is_empty());
    if effect != Effect::Unchanged {
        full_recomputes::check(&plan, request.allow_full).or_raise();
    }
    record(request, &plan, before, effect);
    let keys = key_types(Some(view), &plan.definition.key_columns);
    if plan.definition.feed && keys_before.is_some_and(|before| before != keys) {
        // Consumers know the rows by other keys.
        feed::everything(plan.definition.tview, &plan.definition.entity_name);
    }
    if fresh.is_some() {
        notices.extend(fresh_view::follow(&plan.definition, defined.replaced.is_some()));
    }
    Created {
        plan,
        effect,
        notices,
    }
}

/// Writes what the call changes in the catalog, with one row in the audit.
fn record(request: &Request, plan: &Plan, before: Option<&Definition>, effect: Effect) {
    let mut details = by_whom();
    details["function"] = request.called.into();
    details["effect"] = effect.name().into();
    match (effect, before) {
        (Effect::Created, _) if request.triggers == Triggers::ByWorker => {
            register::register_for_worker(plan, "create", details)
        }
        (Effect::Created, _) => register::register(plan, Fill::IfSmall, "create", details),
        (Effect::Altered, Some(before)) => alter(plan, before.state, details),
        (Effect::Unchanged, _) => run_internal(|| definition_row::note_plan(plan)),
        (Effect::Redefined | Effect::Altered, _) => {
            register::register(plan, Fill::IfSmall, "redefine", details)
        }
    }
}

/// Writes properties that no row depends on. `state`: as it is and stays.
fn alter(plan: &Plan, state: State, mut details: serde_json::Value) {
    let definition = &plan.definition;
    run_internal(|| spi::session(|| definition_row::write(plan, state)));
    details["max_latency_seconds"] = definition.max_latency.map(|bound| bound.as_secs_f64()).into();
    let mut entry = Entry::new(
        &definition.entity_name,
        definition.tview,
        "configure",
        audit::now(),
    );
    entry.details = Some(details);
    audit::add(entry);
    announce::catalog_change();
}

/// Names and types of the key columns in a backing view.
fn key_types(view: Option<Oid>, key: &[String]) -> Vec<(String, Option<Oid>)> {
    let columns = view.map(columns::of).unwrap_or_default();
    let of = |name: &String| {
        let column = columns.iter().find(|column| column.name == *name);
        (name.clone(), column.map(|column| column.type_oid))
    };
    key.iter().map(of).collect()
}

/// Gives the backing view the query of the call, if there is one.
fn define_view(request: &Request, target: &Target, fresh: Option<Oid>, notices: &mut Vec<Notice>) -> Defined {
    let Some(query) = &request.query else {
        return Defined::default();
    };
    limits::check_query(query).or_raise();
    let existing = match request.statement {
        Some(_) => Existing::Keep,
        None => Existing::Replace(fresh),
    };
    let define = || view::define(&target.entity, target.owner, query, existing);
    let defined = own_ddl::defining(target.table, define).or_raise();
    if let (Some(before), Some(_)) = (&target.before, &defined.replaced) {
        refuse_another_case(request, before).or_raise();
        notices.push(Notice::another_query(before));
    }
    defined
}

fn create_table(request: &Request, entity: &Entity, view: &[Column], key: &[String]) -> Oid {
    match &request.statement {
        Some(statement) => table::create_as(statement, entity, key),
        None => table::create(entity, view, key),
    }
    let table = entity
        .find(&entity.table())
        .unwrap_or_else(|| pgrx::error!("the table was not created"));
    lock_tview(table);
    table
}

/// The definition to register. The plan fills in the sources and the fingerprint.
fn definition(request: &Request, target: &Target, table: Oid, view: Oid, key: Vec<String>) -> Definition {
    let before = target.before.as_ref();
    Definition {
        tview: table,
        table_created: target.table.is_none()
            || request.made.table
            || before.is_some_and(|before| before.table_created),
        entity_name: target.entity.name.clone(),
        view_schema: target.entity.schema.clone(),
        view_name: target.entity.view(),
        view_created: false,
        key_columns: key,
        fk_columns: before.map_or(Vec::new(), |before| before.fk_columns.clone()),
        state: State::Populating,
        sources: Vec::new(),
        pinned: spi::session(pinned_settings::of_session),
        hash: before.map_or(String::new(), |before| before.hash.clone()),
        owner: target.owner,
        seen_view: view,
        max_latency: request
            .max_latency
            .or(before.and_then(|before| before.max_latency)),
        feed: before.is_some_and(|before| before.feed),
        throttle_lag: before.and_then(|before| before.throttle_lag),
        refresh_group: before.and_then(|before| before.refresh_group.clone()),
        stamp: relation_changes::stamp(),
    }
}

/// `Order` without quotes is `order`: a user who wants to create another TVIEW must not replace this one.
fn refuse_another_case(request: &Request, before: &Definition) -> Result<(), Problem> {
    if !name::is_folded(&request.name) {
        return Ok(());
    }
    let quoted = quote::literal(&name::quoted(&request.name));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
        format!("TVIEW {} exists already, with another query", before.display()),
    )
    .detail(format!(
        "A name without quotes is folded to lower case: {}.",
        request.name
    ))
    .hint(format!(
        "Run SELECT pg_tviews_create({quoted}, ...); to create another TVIEW, or SELECT pg_tviews_create({}, ...); to redefine this one.",
        quote::literal(&before.display())
    )))
}

fn lock_tview(table: Oid) {
    match definition::table() {
        Some(class) => lock::object(class, table),
        None => Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the extension pg_tviews is not installed in this database",
        )
        .hint("Run CREATE EXTENSION pg_tviews;")
        .raise(),
    }
}
