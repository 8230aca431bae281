//! The problem of rows without a place in the table, as an audit row stores it for later refreshes.

use pgrx::PgSqlErrorCode;
use serde_json::Value;

use crate::error::{sqlstate, Problem};
use crate::postgres::process::clock;

/// The name of such a problem in the details of an audit row.
pub const NAME: &str = "left_out";

/// A problem, and when the view as a whole was last queried for it.
#[derive(Debug, Clone)]
pub struct KeptProblem {
    pub problem: Problem,
    /// In microseconds since 2000. When the problem was found, if there was no query since.
    pub asked_at: i64,
    /// How long that query took, in microseconds; 0 if there was none.
    pub asked_for: i64,
}

impl KeptProblem {
    /// A problem that this refresh has found.
    pub fn found(problem: Problem) -> KeptProblem {
        KeptProblem {
            problem,
            asked_at: clock::now(),
            asked_for: 0,
        }
    }

    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "sqlstate": sqlstate(self.problem.code),
            "message": self.problem.message,
            "detail": self.problem.detail,
            "hint": self.problem.hint,
            "asked_at": self.asked_at,
            "asked_for": self.asked_for,
        })
    }

    pub fn from_json(json: &Value) -> Option<KeptProblem> {
        let text = |name| json[name].as_str().map(str::to_string);
        let kinds = [
            PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION,
            PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
        ];
        let code = text("sqlstate")?;
        let code = kinds.into_iter().find(|kind| sqlstate(*kind) == code)?;
        Some(KeptProblem {
            problem: Problem {
                code,
                message: text("message")?,
                detail: text("detail"),
                hint: text("hint"),
            },
            asked_at: json["asked_at"].as_i64().unwrap_or_default(),
            asked_for: json["asked_for"].as_i64().unwrap_or_default(),
        })
    }
}
