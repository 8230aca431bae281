//! What statements of a refresh cost, as the planner sees it.

use pgrx::datum::JsonString;
use pgrx::pg_sys;

use super::plan::costs::Costs;
use super::plan::sql::Reach;
use super::plan::Plan;
use super::planner_settings::few_rows;
use super::pushdown::push_down;
use crate::error::Problem;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::run_as;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;

/// Maximum number of keys that are looked up one by one.
const FEW_KEYS: usize = 500;
/// The same for a view that is cheap to compute for one key or as a whole, but not for many keys.
const FEW_KEYS_OF_PUSHED_DOWN: usize = 10_000;
/// The cost of planning a statement for the keys at hand, in units of the planner.
const PLANNING: f64 = 400.0;
/// A view that costs less as a whole may be computed as a whole by each part of a backlog.
pub const CHEAP_VIEW: f64 = 2_000.0;
/// A view that costs so many times as much as one key is not computed as a whole for a few keys.
const BY_KEY: f64 = 200.0;

/// Whether batches may be small: no batch computes the whole view, or the whole view is cheap. As the owner
/// of the TVIEW, inside an SPI session.
pub fn is_by_key(plan: &Plan) -> bool {
    costs(plan).by_key
}

/// Whether so many keys are computed together, which may cost as much as the whole view.
pub fn are_many(plan: &Plan, keys: usize) -> bool {
    keys > costs(plan).few
}

/// Whether so many keys are computed by a plan for the keys at hand: many keys, or a key that costs as much as
/// the whole view.
pub fn is_planned_anew(plan: &Plan, keys: usize) -> bool {
    costs(plan).is_dear || are_many(plan, keys)
}

/// The number of rows of the view or of the table, whichever is larger, as the planner estimates them now.
pub fn rows(plan: &Plan) -> f64 {
    only_planned(|| {
        few_rows(false);
        let in_view = expected(&plan.shape.explain(Reach::Everything), &[]).rows;
        in_view.max(expected(&plan.shape.explain_table(), &[]).rows)
    })
}

/// The cost of computing the whole view.
pub fn of_view(plan: &Plan) -> f64 {
    few_rows(false);
    expected(&plan.shape.explain_view(), &[]).cost
}

fn costs(plan: &Plan) -> &Costs {
    let ask = || {
        few_rows(false);
        let everything = expected(&plan.shape.explain(Reach::Everything), &[]).cost;
        few_rows(true);
        // Without the penalties. Where there is no index, a look-up is a sequential scan. A full join of rows
        // that are looked up by the columns joined can only be a merge join, from PostgreSQL 16 on.
        run_as::set("enable_seqscan", "on");
        run_as::set("enable_mergejoin", "on");
        let statement = plan.shape.explain(Reach::EachKey);
        let one = reshaping(&statement, push_down, || expected(&statement, &[])).cost;
        let maximum = if expected(&statement, &[]).cost > 2.0 * one {
            FEW_KEYS_OF_PUSHED_DOWN
        } else {
            FEW_KEYS
        };
        let is_dear = one > PLANNING && 2.0 * one > everything;
        let few = ((everything + PLANNING) / one).min(maximum as f64) as usize;
        Costs {
            few,
            is_dear,
            by_key: everything <= CHEAP_VIEW || everything / one >= BY_KEY,
        }
    };
    plan.costs.get_or_init(|| only_planned(ask))
}

/// Planning the whole view locks all partitions that the view may read. These locks are released.
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
