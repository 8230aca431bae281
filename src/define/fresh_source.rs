//! The rows that a fresh view takes from the backing view. A backing view that reads other TVIEWs is read as
//! if it read their fresh views: its query, with each of their tables, and each view on the way, replaced by a
//! subquery of the same name.

use std::collections::HashSet;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::fresh_name;
use crate::catalog::columns;
use crate::catalog::definition::{self, Definition};
use crate::error::Problem;
use crate::postgres::run_as::{run_internal, with_setting};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, recursion, relation};
use crate::refresh::plan::Plan;
use crate::statement;

/// An item of a FROM clause, and the search_path that its names are read under if that is not the session's.
pub struct FreshSource {
    pub from: String,
    pub search_path: Option<String>,
    /// The fingerprint of the queries of views that it contains, if it contains some.
    pub queries: Option<String>,
}

/// The relations below a backing view that lead to other TVIEWs, each after those that it reads.
#[derive(Default)]
struct Replaced {
    order: Vec<(Oid, Option<Definition>)>,
    known: HashSet<Oid>,
}

/// Maximum number of TVIEWs over TVIEWs in a fresh view. With each level the query has more than twice as many
/// parts, which PostgreSQL plans each time.
const MAXIMUM_LEVELS: usize = 4;

/// How many TVIEWs lead from a view to the one at the bottom; more than `limit` are not counted.
fn levels(view: Oid, limit: usize) -> usize {
    let mut below = Replaced::default();
    below.visit_view(view);
    let tviews = below.order.iter().filter_map(|(_, tview)| tview.as_ref());
    let views: Vec<Oid> = tviews.filter_map(|tview| run_internal(|| tview.view())).collect();
    let mut most = 0;
    for view in views {
        if most < limit {
            most = most.max(1 + levels(view, limit - 1));
        }
    }
    most
}

fn too_deep(plan: &Plan) -> Problem {
    let table = plan.definition.display();
    Problem::new(
        PgSqlErrorCode::ERRCODE_STATEMENT_TOO_COMPLEX,
        format!("{table} is over too many TVIEWs for a fresh view"),
    )
    .detail(format!(
        "Below it are more than {MAXIMUM_LEVELS} TVIEWs over TVIEWs. Each makes the query of the fresh view more than twice as large."
    ))
    .hint(format!(
        "Read {table} after SELECT pg_tviews_require({}, '0');",
        quote::literal(&table)
    ))
}

/// The rows of the backing view.
pub fn of(plan: &Plan) -> Result<FreshSource, Problem> {
    let Some(view) = plan.lineage.root_view else {
        pgrx::error!("the plan of a TVIEW has no backing view")
    };
    let mut replaced = Replaced::default();
    if !replaced.visit_view(view) {
        return Ok(FreshSource {
            from: plan.shape.view.clone(),
            search_path: None,
            queries: None,
        });
    }
    if levels(view, MAXIMUM_LEVELS + 1) > MAXIMUM_LEVELS {
        return Err(too_deep(plan));
    }
    // The backing view itself comes last.
    replaced.order.pop();
    let path = search_path(replaced.order.iter().map(|(relation, _)| *relation));
    let mut subqueries = Vec::new();
    for (relation, tview) in &replaced.order {
        let query = match tview {
            Some(tview) => format!("SELECT * FROM {}", fresh_of(tview)?),
            None => query_under(&path, *relation),
        };
        subqueries.push(format!("{} AS NOT MATERIALIZED ({query})", head(*relation)));
    }
    let from = format!(
        "(WITH {} SELECT * FROM ({}) AS {})",
        subqueries.join(", "),
        query_under(&path, view),
        columns_as(view, "backing")
    );
    Ok(FreshSource {
        from,
        search_path: Some(path),
        queries: Some(queries_below(view)),
    })
}

/// The fingerprint of the queries of a view and of the views below that lead to other TVIEWs.
fn queries_below(view: Oid) -> String {
    let mut replaced = Replaced::default();
    replaced.visit_view(view);
    let views = replaced.order.iter().filter(|(_, tview)| tview.is_none());
    let mut queries: Vec<String> = views.map(|(view, _)| query_under("pg_catalog", *view)).collect();
    // The order is that of OIDs, which a restored database does not keep.
    queries.sort();
    spi::session(|| {
        let args = [(pg_sys::TEXTOID, Value::of(queries.join(";")))];
        spi::run(&statement!("fresh_view_fingerprint"), Access::Snapshot, &args).one::<String>()
    })
    .unwrap_or_default()
}

/// Raises an ERROR if the queries with this fingerprint are not those of the views below a TVIEW any more. The
/// fresh view has copies of them.
pub fn check_queries(tview: Oid, fingerprint: &str) {
    let current = run_internal(|| {
        let view = definition::load(tview)?.view()?;
        Some(queries_below(view))
    });
    if current.as_deref() == Some(fingerprint) {
        return;
    }
    let table = relation::display(tview);
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("the fresh view of {table} was created for another query"),
    )
    .detail("A view that it reads has been altered since.")
    .hint(format!(
        "Run SELECT pg_tviews_create_fresh_view({}); as the owner of the table.",
        quote::literal(&table)
    ))
    .raise();
}

/// An error if a fresh view reads the table of another TVIEW after all.
pub fn check(plan: &Plan, fresh: Oid) -> Result<(), Problem> {
    let mut replaced = Replaced::default();
    let is_own =
        |relation: &Oid| *relation == plan.definition.tview || Some(*relation) == plan.lineage.root_view;
    let missed = reads(fresh)
        .into_iter()
        .find(|relation| !is_own(relation) && !is_fresh(*relation) && replaced.leads_to_tview(*relation));
    let Some(missed) = missed else { return Ok(()) };
    let (table, missed) = (plan.definition.display(), relation::display(missed));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("a fresh view of {table} cannot read the fresh form of {missed}"),
    )
    .detail("Another relation of the same name hides it, or the backing view reads it in a way that a view cannot be read.")
    .hint("Let the backing view read base tables, or give the relations different names."))
}

/// An error if a TVIEW reads a fresh view: its rows would depend on how far another TVIEW is behind.
pub fn refuse_below(definition: &Definition, mut views: impl Iterator<Item = Oid>) -> Result<(), Problem> {
    let Some(fresh) = views.find(|view| is_fresh(*view)) else {
        return Ok(());
    };
    let (table, fresh) = (definition.display(), relation::display(fresh));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("TVIEW {table} cannot read the fresh view {fresh}"),
    )
    .detail(
        "A refresh follows tables. What a fresh view returns comes from the table and the view of its TVIEW.",
    )
    .hint("Let the view read the table of that TVIEW, and create a fresh view for this one, too."))
}

impl Replaced {
    /// Adds a view and what it reads, if that leads to a TVIEW.
    fn visit_view(&mut self, view: Oid) -> bool {
        recursion::step();
        if self.known.contains(&view) {
            return true;
        }
        let mut leads = false;
        for relation in reads(view) {
            leads |= self.leads_to_tview(relation);
        }
        if leads && self.known.insert(view) {
            self.order.push((view, None));
        }
        leads
    }

    fn leads_to_tview(&mut self, relation: Oid) -> bool {
        match relation::kind(relation) {
            Some('v') if !is_fresh(relation) => self.visit_view(relation),
            Some('r') => match run_internal(|| definition::load(relation)) {
                Some(tview) => {
                    if self.known.insert(relation) {
                        self.order.push((relation, Some(tview)));
                    }
                    true
                }
                None => false,
            },
            _ => false,
        }
    }
}

/// Whether a view is the fresh view of some TVIEW.
fn is_fresh(view: Oid) -> bool {
    let has_name = relation::name(view).is_some_and(|name| name.starts_with(fresh_name::PREFIX));
    has_name
        && reads(view).into_iter().any(|relation| {
            let tview = run_internal(|| definition::load(relation));
            tview.is_some_and(|tview| fresh_name::find(&tview) == Some(view))
        })
}

/// The fresh view of a TVIEW that the backing view reads.
fn fresh_of(tview: &Definition) -> Result<String, Problem> {
    if fresh_name::find(tview).is_some() {
        return Ok(fresh_name::qualified(tview));
    }
    let table = tview.display();
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("the view reads {table}, which has no fresh view"),
    )
    .detail("A fresh view reads the fresh views of the TVIEWs below.")
    .hint(format!(
        "Run SELECT pg_tviews_create_fresh_view({}); first.",
        quote::literal(&table)
    )))
}

/// The schemas of some relations: under this path their names need no schema.
fn search_path(relations: impl Iterator<Item = Oid>) -> String {
    let mut schemas: Vec<String> = vec!["pg_catalog".to_string()];
    for schema in relations.filter_map(relation::schema) {
        let schema = quote::identifier(&schema);
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    schemas.push("pg_temp".to_string());
    schemas.join(", ")
}

/// The query of a view, written for a search_path.
fn query_under(path: &str, view: Oid) -> String {
    let args = [(pg_sys::OIDOID, Value::of(view))];
    let query = || spi::text_for_user(&statement!("view_query"), &args);
    let query = with_setting("search_path", path, query);
    query.unwrap_or_else(|| pgrx::error!("view {} does not exist", relation::display(view)))
}

/// A relation as the head of a subquery in WITH.
fn head(relation: Oid) -> String {
    columns_as(relation, &relation::name(relation).unwrap_or_default())
}

/// A name with the columns of a relation.
fn columns_as(relation: Oid, name: &str) -> String {
    let columns = columns::of(relation);
    let columns: Vec<String> = columns
        .iter()
        .map(|column| quote::identifier(&column.name))
        .collect();
    format!("{}({})", quote::identifier(name), columns.join(", "))
}

/// The relations that the query of a view names.
fn reads(view: Oid) -> Vec<Oid> {
    spi::session(|| {
        let args = [(pg_sys::OIDOID, Value::of(view))];
        let rows = spi::run(&statement!("view_reads"), Access::Current, &args);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    })
}
