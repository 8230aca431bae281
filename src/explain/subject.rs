//! What is explained: a TVIEW as it is refreshed, or what pg_tviews_create would make of a view or a query.

use std::rc::Rc;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::columns::{self, Column};
use crate::catalog::definition::{self, Definition};
use crate::catalog::entity::Entity;
use crate::catalog::{key_choice, limits, name};
use crate::error::Problem;
use crate::lineage::{self, Lineage, Occurrence, Source};
use crate::postgres::named::Named;
use crate::postgres::permit::Permit;
use crate::postgres::query_tree::Select;
use crate::postgres::run_as::{run_internal, run_restricted, settings_here};
use crate::postgres::{privileges, quote, relation, role, spi};
use crate::refresh::plan::key_column::KeyColumn;
use crate::refresh::plan::shape::{Content, Shape};
use crate::refresh::{discretion, plan};

/// A TVIEW that exists, or one that could be created.
pub struct Subject {
    pub lineage: Lineage,
    pub shape: Shape,
    /// The TVIEW; invalid while there is none.
    pub tview: Oid,
    /// The role that reads the sources: the owner of the TVIEW.
    pub reader: Oid,
    /// Settings that its refreshes run under.
    pub settings: Vec<(String, String)>,
    /// The relations that statements may find by name.
    pub named: Rc<Named>,
    /// Whether the caller may see why the planner fails.
    pub sees_errors: bool,
    /// The permit to plan statements as the reader; or why the caller may not see plans.
    pub permit: Result<Permit, String>,
}

impl Subject {
    /// Every occurrence of a source, in their order in the view.
    pub fn occurrences(&self) -> Vec<(&Source, &Occurrence)> {
        let sources = self.lineage.sources.iter();
        let mut all: Vec<_> = sources
            .flat_map(|source| {
                source
                    .occurrences
                    .iter()
                    .map(move |occurrence| (source, occurrence))
            })
            .collect();
        all.sort_by_key(|(_, occurrence)| occurrence.order);
        all
    }
}

/// Finds what a name or query stands for. As the caller, under the caller's search_path.
pub fn read(name_or_query: &str, key: Option<Vec<String>>) -> Result<Subject, Problem> {
    if !name::is_name(name_or_query) {
        return of_query(name_or_query, key);
    }
    let entity = name::resolve(name_or_query)?;
    let table = entity.find(&entity.table());
    let definition = table.and_then(|table| run_internal(|| definition::load(table)));
    let as_it_is = |definition: &Definition| key.as_ref().is_none_or(|key| *key == definition.key_columns);
    if let Some(definition) = definition.filter(as_it_is) {
        return registered(definition);
    }
    match entity.find(&entity.view()).filter(|view| relation::kind(*view) == Some('v')) {
        Some(view) => of_view(&entity, view, table.filter(|table| relation::kind(*table) == Some('r')), key),
        None => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!(
                "neither TVIEW {} nor view {} exists",
                entity.display(),
                entity.qualified(&entity.view())
            ),
        )
        .hint("Give the name of a TVIEW (SELECT entity_name FROM pg_tview_meta;), of an entity that has a v_ view, or a whole query: SELECT * FROM pg_tviews_explain('SELECT ...');")),
    }
}

fn registered(definition: Definition) -> Result<Subject, Problem> {
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    let (owner, tview) = (plan.definition.owner, plan.definition.tview);
    let caller = role::current_role();
    let may_read = role::has_rights_of(caller, owner)
        || plan
            .view_oids()
            .last()
            .into_iter()
            .chain([tview])
            .any(|readable| privileges::may_select(caller, readable));
    let permit = if may_read {
        plan.permit().map_err(|refusal| refusal.reason(&plan))
    } else {
        Err(format!(
            "permission denied for table {}",
            relation::display(tview)
        ))
    };
    Ok(Subject {
        lineage: plan.lineage.clone(),
        shape: plan.shape.clone(),
        tview,
        reader: owner,
        settings: plan.definition.pinned.clone(),
        named: plan.named.clone(),
        sees_errors: discretion::may_see(&plan.definition),
        permit,
    })
}

fn of_view(
    entity: &Entity,
    view: Oid,
    table: Option<Oid>,
    key: Option<Vec<String>>,
) -> Result<Subject, Problem> {
    let in_view = columns::of(view);
    let in_table = table.map(|table| (table, columns::of(table)));
    let in_table = in_table.as_ref().map(|(table, columns)| (*table, &columns[..]));
    let key = spi::session(|| key_choice::pick_key(entity, &in_view, in_table, key, false))?;
    unregistered(Select::of_view(view), Some(view), &in_view, key)
}

fn of_query(query: &str, key: Option<Vec<String>>) -> Result<Subject, Problem> {
    limits::check_query(query)?;
    let select = Select::analyse(query).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
            "only a single SELECT can be explained",
        )
        .detail("Other statements, several statements and SELECT INTO cannot define a TVIEW.")
        .hint("Run SELECT * FROM pg_tviews_explain('SELECT ... FROM ...'); with a query.")
    })?;
    select.collapse_repeated_columns();
    let columns = columns::of_query(&select);
    let key = match key {
        Some(key) => key_choice::check_key("the query", &columns, key)?,
        None => vec![key_of_query(&columns)?],
    };
    unregistered(select, None, &columns, key)
}

/// The key that pg_tviews_create would choose if the entity were the one of the first pk_ column of the
/// query.
fn key_of_query(columns: &[Column]) -> Result<String, Problem> {
    let conventional = columns
        .iter()
        .find(|column| column.name.len() > 3 && column.name.starts_with("pk_"));
    let key = conventional.or_else(|| columns.iter().find(|column| column.name == "id"));
    key.map(|column| column.name.clone()).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            "cannot determine the key of the query",
        )
        .detail("It outputs neither a column called pk_<entity> nor one called id.")
        .hint("Name the key: SELECT * FROM pg_tviews_explain('SELECT ...', key_columns => '{...}'); or in the query, SELECT ... AS id, ...")
    })
}

/// What pg_tviews_create would make of a query, with the caller as owner. `view`: the view that has the
/// query, if there is one.
fn unregistered(
    query: Select,
    view: Option<Oid>,
    columns: &[Column],
    key: Vec<String>,
) -> Result<Subject, Problem> {
    let caller = role::current_role();
    // As a new TVIEW would keep them.
    let settings = settings_here();
    run_restricted(Permit::of_caller(), &[], || {
        let lineage = lineage::analyse(query, &key)?;
        let queries = lineage.views.iter().copied().map(Select::of_view).chain([query]);
        let tables = lineage.sources.iter().flat_map(Source::tables).chain(view);
        let named = Rc::new(Named::new(
            caller,
            queries,
            tables.chain(lineage.views.iter().copied()),
        ));
        Ok(Subject {
            named,
            sees_errors: true,
            lineage,
            shape: shape(
                view.and_then(relation::qualified_name)
                    .unwrap_or_else(|| format!("({})", query.sql())),
                columns,
                &key,
            )?,
            tview: Oid::INVALID,
            reader: caller,
            settings,
            permit: Ok(Permit::of_caller()),
        })
    })
}

fn shape(view: String, columns: &[Column], key: &[String]) -> Result<Shape, Problem> {
    let find = |name: &String| columns.iter().find(|column| column.name == *name);
    Ok(Shape {
        table: String::new(),
        view,
        key: key
            .iter()
            .filter_map(find)
            .map(|column| KeyColumn::new(column, column, ""))
            .collect::<Result<_, Problem>>()?,
        content: columns
            .iter()
            .filter(|column| !key.contains(&column.name))
            .map(|column| quote::identifier(&column.name))
            .map(|name| Content {
                value: format!("v.{name}"),
                name,
            })
            .collect(),
        converted: Vec::new(),
        touch: None,
        revision: None,
        returns_keys: false,
    })
}
