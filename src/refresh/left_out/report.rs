//! Reports rows that have no place in the table. The refresh that finds such rows reports them, and so do
//! later refreshes until the rows are gone.
//!
//! Only a query of the whole view can tell whether the rows are gone, which takes as long as computing the
//! view. So the view is queried where that is cheap, where a refresh computes as many keys, or once the last
//! answer is old in proportion to the time that the query takes. A comparison of all rows tells in any case.

use super::kept_problem::KeptProblem;
use super::problems;
use crate::error::Problem;
use crate::postgres::process::clock;
use crate::postgres::transaction;
use crate::refresh::audit::Entry;
use crate::refresh::cost::{self, CHEAP_VIEW};
use crate::refresh::plan::Plan;

/// Such queries take at most this part of the time.
const SHARE: f64 = 0.05;
/// The cost, in units of the planner, that a second is enough for at least.
const COST_PER_SECOND: f64 = 20_000.0;

/// Reports in `entry` the rows that an earlier refresh found, unless they are gone. As the owner of the
/// TVIEW, inside an SPI session.
pub fn report_earlier(plan: &Plan, earlier: Option<KeptProblem>, entry: &mut Entry) {
    let Some(earlier) = earlier.filter(|_| entry.left_out().is_none()) else {
        return;
    };
    let keys = entry.keys_refreshed.unwrap_or_default();
    if !is_due(plan, &earlier) && !cost::are_many(plan, keys as usize) {
        entry.keep_left_out(earlier);
        return;
    }
    let asked_at = clock::now();
    let query = || problems::null_keys(plan).or_else(|| problems::repeated_keys(plan));
    let problem = match transaction::attempt(query) {
        Ok(found) => found,
        // One row of the view fails: that is a problem of its key only.
        Err(_) => Some(earlier.problem),
    };
    if let Some(problem) = problem {
        entry.keep_left_out(KeptProblem {
            problem,
            asked_at,
            asked_for: clock::now() - asked_at,
        });
    }
}

/// Whether the query is cheap, or the last answer old enough.
fn is_due(plan: &Plan, earlier: &KeptProblem) -> bool {
    let cost = cost::of_view(plan);
    if cost <= CHEAP_VIEW {
        return true;
    }
    let since = clock::now() - earlier.asked_at;
    let expected = match earlier.asked_for {
        0 => (cost / COST_PER_SECOND * 1e6) as i64,
        known => known,
    };
    // A clock that was set back must not delay the query.
    since < 0 || since as f64 * SHARE >= expected as f64
}

/// The problem of a view that returns rows whose key is NULL; None also if the query fails.
pub fn null_keys(plan: &Plan) -> Option<Problem> {
    transaction::attempt(|| problems::null_keys(plan)).ok().flatten()
}
