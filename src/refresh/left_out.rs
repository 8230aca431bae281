//! Rows of the view that have no place in the table: their key is NULL, or is that of another row. The refresh that finds
//! such rows reports them. The refreshes after it report them until the rows are gone.
//!
//! Whether the rows are gone is asked of the view as a whole, which takes as long as computing the view. So the view is
//! asked where that is cheap, where a refresh computes as many keys, or where asking takes a small part of the time since
//! the last answer.
//! A comparison of all rows tells in any case.

use super::audit::Entry;
use super::kept_problem::KeptProblem;
use super::plan::Plan;
use super::recompute::{self, CHEAP_VIEW};
use crate::error::Problem;
use crate::postgres::process::clock;
use crate::postgres::transaction;

/// Asking takes at most this part of the time.
const SHARE: f64 = 0.05;
/// What the planner expects a second to be enough for, at least.
const COST_PER_SECOND: f64 = 20_000.0;

/// Reports in `entry` what an earlier refresh has found, unless it is gone. As the TVIEW's owner, inside an SPI session.
pub fn keep(plan: &Plan, earlier: Option<KeptProblem>, entry: &mut Entry) {
    let Some(earlier) = earlier.filter(|_| entry.left_out().is_none()) else {
        return;
    };
    let keys = entry.keys_refreshed.unwrap_or_default();
    if !is_due(plan, &earlier) && !recompute::are_many(plan, keys) {
        entry.keep_left_out(earlier);
        return;
    }
    let asked_at = clock::now();
    let ask = || recompute::null_keys(plan).or_else(|| recompute::repeated_keys(plan));
    let problem = match transaction::attempt(ask) {
        Ok(found) => found,
        // A row of the view may fail: that is the fault of its key alone.
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

/// Whether asking is cheap, or the last answer old enough.
fn is_due(plan: &Plan, earlier: &KeptProblem) -> bool {
    let cost = recompute::view_cost(plan);
    if cost <= CHEAP_VIEW {
        return true;
    }
    let since = clock::now() - earlier.asked_at;
    let expected = match earlier.asked_for {
        0 => (cost / COST_PER_SECOND * 1e6) as i64,
        known => known,
    };
    // A clock that was set back must not put it off.
    since < 0 || since as f64 * SHARE >= expected as f64
}

/// The problem of a view that has rows without a key; None if the view cannot tell, because one of its rows fails.
pub fn null_keys(plan: &Plan) -> Option<Problem> {
    transaction::attempt(|| recompute::null_keys(plan)).ok().flatten()
}
