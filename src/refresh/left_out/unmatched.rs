//! Rows of the view whose key is NULL because an outer join found no match. A key query returns keys, so it
//! cannot find such rows; key queries for the other key columns can.

use super::{problems, report};
use crate::error::Problem;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{Access, Value};
use crate::postgres::transaction;
use crate::queue::read::Pending;
use crate::refresh::affected_keys::FEW_CHANGES;
use crate::refresh::cost::{self, expected, CHEAP_VIEW};
use crate::refresh::plan::unmatched::{Costs, LookUps, Unmatched};
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;
use crate::refresh::pushdown::push_down;

/// A view that costs no more as a whole may be queried as a whole after each change.
const TRIFLE: f64 = 50.0;
const MAXIMUM_LOOK_UPS: f64 = 1_000_000.0;

/// The result of look-ups.
enum Found {
    Nothing,
    Row,
    /// So many look-ups cost more than a query of the whole view.
    TooMany,
    /// Look-ups cannot answer.
    Unknown,
}

impl Unmatched {
    fn costs(&self, plan: &Plan) -> &Costs {
        self.costs.get_or_init(|| {
            few_rows(false);
            let whole = expected(&plan.shape.explain_null_keys(), &[]).cost;
            let explain = &self.explain_one;
            Costs {
                whole,
                one: reshaping(explain, push_down, || expected(explain, &[])).cost,
            }
        })
    }

    /// The problem of a view that returns rows whose key is NULL after these changes of a source. The queries
    /// cost no more than recomputing the keys of these changes. What would cost more is left to a comparison
    /// of all rows.
    fn problem(&self, plan: &Plan, changes: &Pending) -> Option<Problem> {
        let costs = self.costs(plan);
        let look_ups = self.sources.get(&changes.source);
        let found = match look_ups.filter(|_| costs.one <= CHEAP_VIEW) {
            Some(look_ups) => look_ups.run(changes, costs),
            None => Found::Unknown,
        };
        match found {
            Found::Nothing => None,
            Found::Row => Some(problems::null_key(plan)),
            Found::TooMany => report::null_keys(plan),
            Found::Unknown => {
                let is_asked = costs.whole <= TRIFLE || cost::are_many(plan, changes.changes as usize);
                is_asked.then(|| report::null_keys(plan)).flatten()
            }
        }
    }
}

impl LookUps {
    fn run(&self, changes: &Pending, costs: &Costs) -> Found {
        if changes.changes as f64 * costs.one > costs.whole {
            return Found::TooMany;
        }
        let few = changes.changes <= FEW_CHANGES;
        few_rows(few);
        let maximum = (costs.whole / costs.one).clamp(1.0, MAXIMUM_LOOK_UPS) as i64;
        let (statement, arguments) = if few {
            (&self.few, vec![changes.keys, Value::of(maximum)])
        } else {
            (&self.many, vec![changes.keys])
        };
        let run = || statement.run(Access::Snapshot, &arguments, 0).one::<String>();
        // Key queries leave out conditions that may protect an expression of the view from values on which it
        // fails.
        let found = transaction::attempt(|| reshaping(statement.sql(), push_down, run));
        match found.ok().flatten().as_deref() {
            Some("nothing") => Found::Nothing,
            Some("row") => Found::Row,
            Some("too many") => Found::TooMany,
            _ => Found::Unknown,
        }
    }
}

/// The problem of a view that returns rows whose key is NULL after these changes. As the owner of the TVIEW,
/// inside an SPI session.
pub fn problem(plan: &Plan, pending: &[Pending]) -> Option<Problem> {
    let unmatched = plan.unmatched.as_ref()?;
    pending
        .iter()
        .filter(|changes| {
            changes.source != plan.definition.tview
                && !changes.requested
                && plan.sources.contains_key(&changes.source)
        })
        .find_map(|changes| unmatched.problem(plan, changes))
}
