//! A problem as an audit row keeps it, for the refreshes that follow.

use pgrx::PgSqlErrorCode;
use serde_json::Value;

use crate::error::{sqlstate, Problem};

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
