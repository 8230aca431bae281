//! Rows of the view that have no place in the table: their key is NULL, or is that of another row. The refresh that finds them reports
//! them, and so do the refreshes after it until these rows are gone.
//!
//! Whether they are gone is asked of the view as a whole, which takes long where the view does. Such a view is not asked each time: its
//! refreshes go on reporting the rows until all rows are compared.

use super::audit::Entry;
use super::plan::Plan;
use super::recompute::{self, CHEAP_VIEW};
use crate::error::Problem;
use crate::postgres::transaction;

/// Reports in `entry` what an earlier refresh has found, unless it is gone. As the TVIEW's owner, inside an SPI session.
pub fn keep(plan: &Plan, earlier: Option<Problem>, entry: &mut Entry) {
    let Some(earlier) = earlier.filter(|_| entry.left_out().is_none()) else {
        return;
    };
    let ask = || recompute::null_keys(plan).or_else(|| recompute::repeated_keys(plan));
    let answer = (recompute::view_cost(plan) <= CHEAP_VIEW).then(|| transaction::attempt(ask));
    entry.add_left_out(match answer {
        Some(Ok(found)) => found,
        // A row of the view may fail: that is the fault of its key alone.
        Some(Err(_)) | None => Some(earlier),
    });
}

/// The problem of a view that has rows without a key; None if the view cannot tell, because one of its rows fails.
pub fn null_keys(plan: &Plan) -> Option<Problem> {
    transaction::attempt(|| recompute::null_keys(plan)).ok().flatten()
}
