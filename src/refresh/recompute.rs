//! Rows of the tv table from the view, written where they differ.

use std::collections::HashSet;

use pgrx::datum::JsonString;
use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use super::audit::Written;
use crate::postgres::run_as;
use crate::refresh::batch::Batch;
use crate::refresh::plan::costs::Costs;
use crate::refresh::planner_settings::few_rows;

use super::plan::recompute_sql::{Reach, Within};
use super::plan::Plan;
use super::pushdown::narrow;
use crate::error::Problem;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction;

/// No more keys than this are looked up one by one.
const FEW_KEYS: usize = 500;
/// The same for views that can be computed for few keys one by one, or as a whole, but not for many keys.
const FEW_KEYS_OF_NARROWED: usize = 10_000;
/// What planning a statement for the keys at hand costs, in units of the planner.
const PLANNING: f64 = 400.0;
/// A view that costs less than this as a whole may be computed as a whole by every part of a backlog.
pub const CHEAP_VIEW: f64 = 2_000.0;
/// A view that costs so many times what one key costs is not computed as a whole for few keys.
const BY_KEY: f64 = 200.0;

/// What was written, and what is wrong with the data.
#[derive(Default)]
pub struct Result {
    pub written: Written,
    pub problem: Option<Problem>,
}

/// Deferred triggers and foreign keys of the table run now, as its owner, not at commit as the worker; PostgreSQL
/// refuses to put any off in work that is not trusted.
fn no_deferring(plan: &Plan) {
    if plan.fires_triggers {
        spi::run("SET CONSTRAINTS ALL IMMEDIATE", Access::Current, &[]);
    }
}

/// Recomputes the rows of these keys. As the TVIEW's owner, inside an SPI session.
pub fn keys(plan: &Plan, batch: &Batch) -> Result {
    no_deferring(plan);
    keys_inside(plan, batch, plan.spares_partitions())
}

/// The same inside a transaction of somebody else, whose constraints are deferred or not as it said. With `planned_anew` the planner
/// knows the keys, and leaves partitions alone that have none of them.
pub fn keys_inside(plan: &Plan, batch: &Batch, planned_anew: bool) -> Result {
    let rows = if !planned_anew && batch.len() <= costs(plan).few {
        few_rows(true);
        reshaping(plan.each_key.sql(), narrow, || {
            plan.each_key.run(Access::Current, &batch.parameters(plan), 0)
        })
    } else {
        few_rows(false);
        let mut typed = batch.typed(plan);
        if plan.shape.takes_bounds() {
            typed.extend(batch.bounds().map(|bound| (pg_sys::INT8OID, Value::of(bound))));
        }
        spi::run(&plan.all_keys, Access::Current, &typed)
    };
    finish(plan, &rows)
}

/// The keys of a batch but those whose rows somebody else holds, and these; the rows of the others are locked. As the TVIEW's
/// owner, inside an SPI session.
pub fn not_held(plan: &Plan, batch: Batch) -> (Batch, Vec<Box<[String]>>) {
    few_rows(false);
    let rows = spi::run(&plan.shape.held_rows(), Access::Current, &batch.typed(plan));
    let held: HashSet<usize> = (0..rows.len())
        .filter_map(|row| usize::try_from(rows.get::<i64>(row, 0)? - 1).ok())
        .collect();
    if held.is_empty() {
        return (batch, Vec::new());
    }
    let keys = batch.rows().into_iter().enumerate();
    let held_keys = keys.filter(|(position, _)| held.contains(position));
    let held_keys = held_keys.map(|(_, key)| key).collect();
    (batch.without(&held), held_keys)
}

fn costs(plan: &Plan) -> &Costs {
    let look = || {
        few_rows(false);
        let everything = expected(&plan.shape.explain(Reach::Everything), &[]).cost;
        few_rows(true);
        // Without the price of what is to be avoided: where there is no index, that is what a look-up does.
        run_as::set("enable_seqscan", "on");
        let statement = plan.shape.explain(Reach::EachKey);
        let one = reshaping(&statement, narrow, || expected(&statement, &[])).cost;
        let most = match expected(&statement, &[]).cost > 2.0 * one {
            true => FEW_KEYS_OF_NARROWED,
            false => FEW_KEYS,
        };
        Costs {
            few: ((everything + PLANNING) / one).min(most as f64) as usize,
            by_key: everything <= CHEAP_VIEW || everything / one >= BY_KEY,
        }
    };
    plan.costs.get_or_init(|| only_planned(look))
}

/// Whether batches may be small: none of them computes the whole view, or that is cheap. As the TVIEW's owner, inside an SPI
/// session.
pub fn is_by_key(plan: &Plan) -> bool {
    costs(plan).by_key
}

/// How many rows view and table may have, as the planner sees them now; the larger of the two.
pub fn rows(plan: &Plan) -> f64 {
    only_planned(|| {
        few_rows(false);
        let in_view = expected(&plan.shape.explain(Reach::Everything), &[]).rows;
        in_view.max(expected(&plan.shape.explain_table(), &[]).rows)
    })
}

/// Planning the view as a whole locks all partitions it may read: those locks are not kept.
fn only_planned<R>(work: impl FnOnce() -> R) -> R {
    transaction::probe(work).unwrap_or_else(|caught| Problem::from(caught).raise())
}

/// What the planner expects of a statement.
pub struct Expected {
    pub cost: f64,
    pub rows: f64,
}

/// Runs an EXPLAIN. Inside an SPI session.
pub fn expected(explain: &str, args: &[(pg_sys::Oid, Value)]) -> Expected {
    let text = spi::run(explain, Access::Current, args).one::<JsonString>();
    let json: serde_json::Value = text
        .and_then(|text| serde_json::from_str(&text.0).ok())
        .unwrap_or_default();
    let number = |name| json[0]["Plan"][name].as_f64().unwrap_or(f64::INFINITY);
    Expected {
        cost: number("Total Cost"),
        rows: number("Plan Rows"),
    }
}

/// Compares the whole view with the whole table and writes the differences.
pub fn everything(plan: &Plan) -> Result {
    no_deferring(plan);
    few_rows(false);
    let mut result = match fill(plan) {
        Some(inserted) => filled(inserted),
        None => everything_inside(plan),
    };
    if result.problem.is_none() {
        result.problem = null_keys(plan);
    }
    result
}

/// The same inside a transaction of somebody else.
pub fn everything_inside(plan: &Plan) -> Result {
    few_rows(false);
    finish(plan, &plan.everything.run(Access::Current, &[], 0))
}

/// Compares the rows of a range of keys, given by the texts that the statements take; `is_empty`: the table has none of them. As the
/// TVIEW's owner, inside an SPI session.
pub fn range(plan: &Plan, range: &Within, keys: &[(pg_sys::Oid, Value)], is_empty: bool) -> Result {
    no_deferring(plan);
    few_rows(false);
    let fill = || spi::run(&plan.shape.fill_within(range), Access::Current, keys).len() as i64;
    // Where that fails, comparing tells why.
    if let Some(inserted) = is_empty.then(|| unless_it_fails(fill)).flatten() {
        return filled(inserted);
    }
    finish(
        plan,
        &spi::run(&plan.shape.recompute_within(range), Access::Current, keys),
    )
}

fn filled(inserted: i64) -> Result {
    Result {
        written: Written {
            inserted,
            ..Written::default()
        },
        problem: None,
    }
}

fn unless_it_fails(fill: impl FnOnce() -> i64) -> Option<i64> {
    transaction::attempt(fill).ok()
}

/// Fills a table that is empty without comparing. None: it has rows, or filling failed, and comparing tells why.
fn fill(plan: &Plan) -> Option<i64> {
    let some = [(pg_sys::INT8OID, Value::of(1_i64))];
    if !spi::run(&plan.shape.some_keys(), Access::Current, &some).is_empty() {
        return None;
    }
    unless_it_fails(|| spi::run(&plan.shape.fill(), Access::Current, &[]).len() as i64)
}

/// The problem of a view that returns rows without a key, if it does.
pub fn null_keys(plan: &Plan) -> Option<Problem> {
    let found = spi::run(&plan.shape.null_keys(), Access::Snapshot, &[]).one::<bool>() == Some(true);
    found.then(|| null_key(plan))
}

/// The problem of a view that returns rows without a key.
pub fn null_key(plan: &Plan) -> Problem {
    let names: Vec<&str> = plan.shape.key.iter().map(|k| k.name.as_str()).collect();
    Problem::new(
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
        format!(
            "view {} returns a row whose key ({}) is NULL",
            plan.shape.view,
            names.join(", ")
        ),
    )
    .detail("Such a row has no place in the table.")
    .hint(format!(
        "SELECT * FROM {} WHERE {} IS NULL;",
        plan.shape.view,
        names.join(" IS NULL OR ")
    ))
}

/// The problem of a view that returns a key more than once, if it does.
pub fn repeated_keys(plan: &Plan) -> Option<Problem> {
    let keys = spi::run(&plan.shape.repeated_keys(), Access::Snapshot, &[]).one::<String>();
    keys.map(|keys| repeated(plan, &keys))
}

/// What the planner expects computing the whole view to cost.
pub fn view_cost(plan: &Plan) -> f64 {
    few_rows(false);
    expected(&plan.shape.explain_view(), &[]).cost
}

/// Whether so many keys are computed together, which may cost as much as the view.
pub fn are_many(plan: &Plan, keys: i64) -> bool {
    keys > costs(plan).few as i64
}

/// The problem of a view that returns a key more than once. `keys`: some of them, as JSON.
pub fn repeated(plan: &Plan, keys: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION,
        format!("view {} returns the same key more than once", plan.shape.view),
    )
    .detail(format!("Keys: {keys}."))
    .hint("Make the view return one row per key, or choose another key with key_columns.")
}

fn finish(plan: &Plan, rows: &Rows) -> Result {
    let count = |column| rows.get::<i64>(0, column).unwrap_or(0);
    Result {
        written: Written {
            inserted: count(0),
            updated: count(1),
            deleted: count(2),
            unchanged: count(3),
        },
        problem: rows.get::<String>(0, 4).map(|keys| repeated(plan, &keys)),
    }
}
