//! `pg_tviews_compare`: which rows of a TVIEW another query would change. A dry run of [`super::create`]: it makes the same
//! checks, computes both views in one snapshot, and writes nothing.
//!
//! Rows of the old and of the new query are compared, not rows of the table. So changes that the table has not absorbed yet
//! show no difference.

use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{fill, follow_columns, fresh_source, key, register, table, view};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::check_owner;
use crate::catalog::{limits, name, rights};
use crate::error::Problem;
use crate::lineage::{self, Lineage, Source};
use crate::postgres::collected::Collected;
use crate::postgres::named::{self, Named};
use crate::postgres::permit::Permit;
use crate::postgres::query_tree::Select;
use crate::postgres::quote;
use crate::postgres::run_as::{run_internal, run_restricted};
use crate::postgres::spi::{self, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::refresh::plan::key::{key_object, key_values};
use crate::refresh::plan::shape::{shape_of, Shape};
use crate::refresh::plan::{self, Plan};
use crate::refresh::planner_settings::few_rows;

/// A query for a TVIEW, checked, with the rows that it would return.
struct Proposed {
    shape: Shape,
    lineage: Lineage,
    query: Select,
    /// Columns of the table whose type changes, quoted.
    retyped: Vec<String>,
}

/// Changes, at most so many (None: all): the key as JSON, the change, and where it is one of a value, its path, the old value
/// and the new value as JSON.
pub fn compare(name: &str, query: Option<&str>, max_rows: Option<i32>) -> Result<Collected<5>, Problem> {
    let query = query.ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "query must not be NULL",
        )
        .hint("Run SELECT * FROM pg_tviews_compare('post', 'SELECT ... FROM ...'); with a query.")
    })?;
    if max_rows.is_some_and(|rows| rows < 0) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "max_rows must not be less than zero",
        )
        .hint("Give a number of rows, or NULL for all of them."));
    }
    let before = definition::find(name)?;
    table::check(before.tview, &name::resolve(name)?)?;
    let plan = match plan::kept(before.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(before.clone()))?,
    };
    let proposed = propose(&plan, name, query)?;
    // What the query calls is given by this session.
    let permit = Permit::ask(before.owner, || {
        Some("the query comes from the session".to_string())
    })
    .map_err(|refusal| refusal.problem(&plan))?;
    let statement = proposed
        .shape
        .changes(&plan.shape, &proposed.retyped, before.table_created);
    let named = Rc::new(named(&plan, &proposed));
    let run = || {
        with_latest_snapshot(|| {
            run_restricted(permit, &before.pinned, || {
                // What the query calls must not write either.
                transaction::refuse_writes_in_subtransaction();
                named::within(&named, || {
                    spi::session(|| list(&plan, &proposed.shape, &statement, max_rows))
                })
            })
        })
    };
    transaction::attempt(run).map_err(|caught| fill::not_filled(&proposed.shape, caught))
}

/// Checks the query as creation does, with the search_path of the caller.
fn propose(plan: &Plan, name: &str, query: &str) -> Result<Proposed, Problem> {
    let (entity, before) = (name::resolve(name)?, &plan.definition);
    let old_view = view::check(&entity, before.owner)?;
    check_owner(old_view)?;
    limits::check_query(query)?;
    let select = view::analyse(&entity, query)?;
    select.collapse_repeated_columns();
    let (in_view, in_query) = (columns::of(old_view), columns::of_query(&select));
    let in_table = follow_columns::followed(before.tview, before, &in_view, &in_query);
    let key = key::choose(&entity, None, Some(before), &in_query, Some(before.tview), true)?;
    if key != before.key_columns {
        return Err(another_key(before, &key));
    }
    let (lineage, text) = run_restricted(Permit::of_caller(), &[], || {
        lineage::analyse(select, &key).map(|lineage| (lineage, format!("({})", select.sql())))
    })?;
    fresh_source::refuse_below(before, lineage.views.iter().copied())?;
    let sources: Vec<Oid> = lineage.sources.iter().map(|source| source.relation).collect();
    register::refuse_circles(before, &sources)?;
    rights::check_sources(before.owner, &sources)?;
    Ok(Proposed {
        shape: spi::session(|| shape_of(before, Some(text), &in_query, &in_table))?,
        lineage,
        query: select,
        retyped: retyped(&columns::of(before.tview), &in_table),
    })
}

fn another_key(before: &Definition, key: &[String]) -> Problem {
    let names = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| quote::identifier(name)).collect();
        names.join(", ")
    };
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "rows with different keys cannot be compared",
    )
    .detail(format!(
        "The key of {} is ({}). With this query it would be ({}), and all rows would be replaced.",
        before.display(),
        names(&before.key_columns),
        names(key)
    ))
    .hint(format!("Let the query return {}.", names(&before.key_columns)))
}

/// Columns that have another type then, quoted.
fn retyped(now: &[Column], then: &[Column]) -> Vec<String> {
    let is_retyped = |column: &&Column| {
        let mut then = then.iter().filter(|other| other.name == column.name);
        then.any(|other| (other.type_oid, other.modifier) != (column.type_oid, column.modifier))
    };
    now.iter()
        .filter(is_retyped)
        .map(|column| quote::identifier(&column.name))
        .collect()
}

/// The objects that the statement may find by name.
fn named(plan: &Plan, proposed: &Proposed) -> Named {
    let views: Vec<Oid> = plan
        .view_oids()
        .chain(proposed.lineage.views.iter().copied())
        .collect();
    let queries = views
        .iter()
        .map(|view| Select::of_view(*view))
        .chain([proposed.query]);
    let sources = plan.lineage.sources.iter().chain(&proposed.lineage.sources);
    let relations = sources.flat_map(Source::tables).chain(views.iter().copied());
    Named::new(
        plan.definition.owner,
        queries,
        relations.chain([plan.definition.tview]),
    )
}

fn list(plan: &Plan, shape: &Shape, statement: &str, max_rows: Option<i32>) -> Collected<5> {
    few_rows(false);
    let mut found = Collected::default();
    let limit = [(pg_sys::INT8OID, Value::of(max_rows.map(i64::from)))];
    let first = shape.key.len();
    let names = plan.definition.key_columns.iter().zip(&shape.key);
    let names = names.map(|(name, k)| (&name[..], &k.values));
    spi::stream_once(statement, &limit, |rows| {
        for row in 0..rows.len() {
            let key = key_values(shape, rows, row, 0);
            let key: Vec<Option<&str>> = key.iter().map(Option::as_deref).collect();
            let texts: Vec<Option<String>> = (first..first + 4).map(|column| rows.get(row, column)).collect();
            found.push([
                Some(&key_object(names.clone(), &key)[..]),
                texts[0].as_deref(),
                texts[1].as_deref(),
                texts[2].as_deref(),
                texts[3].as_deref(),
            ]);
        }
        true
    });
    found
}
