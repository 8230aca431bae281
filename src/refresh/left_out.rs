//! Rows of the view that have no place in the table: their key is NULL, or is that of another row. The refresh that finds them reports
//! them, and so do the refreshes after it until these rows are gone.
//!
//! Whether they are gone is asked of the view as a whole, which takes long where the view does. Such a view is not asked each time: its
//! refreshes go on reporting the rows until all rows are compared.

use pgrx::PgSqlErrorCode;
use serde_json::Value;

use super::audit::Entry;
use super::plan::Plan;
use super::recompute::{self, CHEAP_VIEW};
use crate::error::Problem;
use crate::postgres::transaction::{self, sqlstate};

/// Where the details of an audit row have such a problem.
pub const NAME: &str = "left_out";

/// A problem as an audit row keeps it.
pub fn to_json(problem: &Problem) -> Value {
    serde_json::json!({
        "sqlstate": sqlstate(problem.code),
        "message": problem.message,
        "detail": problem.detail,
        "hint": problem.hint,
    })
}

/// The problem that an audit row keeps.
pub fn from_json(json: &Value) -> Option<Problem> {
    let text = |name| json[name].as_str().map(str::to_string);
    let kinds = [
        PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION,
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
    ];
    let code = text("sqlstate")?;
    let code = kinds.into_iter().find(|kind| sqlstate(*kind) == code)?;
    Some(Problem {
        code,
        message: text("message")?,
        detail: text("detail"),
        hint: text("hint"),
    })
}

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
