//! Rows of the view without a key because an outer join found no match. Key queries lead to keys, so none leads to such a row;
//! key queries for the other key columns do.

use super::keys::FEW_CHANGES;
use super::left_out;
use super::plan::unmatched::{Costs, LookUps, Unmatched};
use super::plan::Plan;
use super::planner_settings::few_rows;
use super::pushdown::narrow;
use super::recompute::{self, expected, CHEAP_VIEW};
use crate::error::Problem;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{Access, Value};
use crate::postgres::transaction;
use crate::queue::read::Pending;

/// A view that costs no more than this as a whole may be asked as a whole after every change.
const TRIFLE: f64 = 50.0;
const MOST_LOOK_UPS: f64 = 1_000_000.0;

/// What look-ups find.
enum Found {
    Nothing,
    Row,
    /// As many look-ups cost more than asking for the whole view.
    TooMany,
    /// They cannot tell.
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
                one: reshaping(explain, narrow, || expected(explain, &[])).cost,
            }
        })
    }

    /// The problem of a view that has rows without a key after these changes of a source. What is asked costs no more than what
    /// recomputing the keys of these changes costs; what would cost more is left to a comparison of all rows.
    fn problem(&self, plan: &Plan, changes: &Pending) -> Option<Problem> {
        let costs = self.costs(plan);
        let look_ups = self.sources.get(&changes.source);
        let found = match look_ups.filter(|_| costs.one <= CHEAP_VIEW) {
            Some(look_ups) => look_ups.run(changes, costs),
            None => Found::Unknown,
        };
        match found {
            Found::Nothing => None,
            Found::Row => Some(recompute::null_key(plan)),
            Found::TooMany => left_out::null_keys(plan),
            Found::Unknown => {
                let is_asked = costs.whole <= TRIFLE || recompute::are_many(plan, changes.changes);
                is_asked.then(|| left_out::null_keys(plan)).flatten()
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
        let most = (costs.whole / costs.one).clamp(1.0, MOST_LOOK_UPS) as i64;
        let (statement, arguments) = match few {
            true => (&self.few, vec![changes.keys, Value::of(most)]),
            false => (&self.many, vec![changes.keys]),
        };
        let run = || statement.run(Access::Snapshot, &arguments, 0).one::<String>();
        // Key queries leave out conditions that may keep an expression of the view from values it fails on.
        let found = transaction::attempt(|| reshaping(statement.sql(), narrow, run));
        match found.ok().flatten().as_deref() {
            Some("nothing") => Found::Nothing,
            Some("row") => Found::Row,
            Some("too many") => Found::TooMany,
            _ => Found::Unknown,
        }
    }
}

/// The problem of a view that has rows without a key after these changes. As the TVIEW's owner, inside an SPI session.
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
