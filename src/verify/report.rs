//! What is said of rows that differ: audit rows with the operation `drift`, and a WARNING in the server log. Values
//! of rows are in the audit only.

use pgrx::PgSqlErrorCode;

use super::excerpt::{beginning, excerpts};
use crate::error;
use crate::postgres::quote;
use crate::refresh::audit::{self, Entry, Status};
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    Missing,
    Extra,
    Different,
}

impl Problem {
    /// As pg_tviews_check names it.
    fn name(self) -> &'static str {
        match self {
            Problem::Missing => "missing",
            Problem::Extra => "extra",
            Problem::Different => "different",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Problem::Missing => "a row of the view was missing in the table",
            Problem::Extra => "the table had a row that the view does not return",
            Problem::Different => "a row of the table differed from the row of the view",
        }
    }
}

/// A row that differs.
pub struct Drift {
    pub key: Key,
    pub problem: Problem,
    /// The columns that differ.
    pub columns: Option<Vec<String>>,
    /// The row of the table and that of the view, as JSON.
    pub old: Option<String>,
    pub new: Option<String>,
}

/// Longer keys are cut.
const LONGEST_KEY: usize = 2_000;

/// Reports rows that differ: each of those that are described, and how many there are. `more`: perhaps there are
/// more.
pub fn drift(plan: &Plan, described: &[Drift], number: usize, more: bool) {
    for drift in described {
        let [old, new] = excerpts(drift.old.as_deref(), drift.new.as_deref());
        let details = serde_json::json!({
            "key": key(plan, &drift.key),
            "problem": drift.problem.name(),
            "columns": drift.columns.as_ref().filter(|_| drift.problem == Problem::Different),
            "old": old,
            "new": new,
        });
        add(
            plan,
            Status::Error,
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            drift.problem.message(),
            details,
        );
    }
    let rest = number.saturating_sub(described.len());
    if rest > 0 || more {
        let counted = if more { "at least " } else { "" };
        let message = format!("{counted}{rest} more rows differed");
        let details = serde_json::json!({ "rows": rest, "more": more });
        add(
            plan,
            Status::Error,
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            &message,
            details,
        );
    }
    let display = plan.definition.display();
    let rows = if number == 1 {
        "1 row".to_string()
    } else {
        format!("{number} rows")
    };
    let counted = if more { "at least " } else { "" };
    warn(
        plan,
        format!("{counted}{rows} of {display} differed from the backing view, and no change was pending"),
        "Something has written the table other than refreshes, or a fault has. The rows are being recomputed.",
    );
}

/// Why rows that differ are left as they are. `unseen`: what the view calls that no change shows.
pub fn because(unseen: &[String]) -> String {
    if unseen.is_empty() {
        "rows differed again after they were recomputed".to_string()
    } else {
        format!(
            "rows depend on what no change shows: {}",
            beginning(&unseen.join(", "))
        )
    }
}

/// Reports once that rows differ for such a reason.
pub fn unseen(plan: &Plan, unseen: &[String]) {
    let because = because(unseen);
    let details = serde_json::json!({ "unseen": unseen });
    add(
        plan,
        Status::Partial,
        PgSqlErrorCode::ERRCODE_WARNING,
        &because,
        details,
    );
    warn(
        plan,
        format!(
            "{} is not verified any more: {because}",
            plan.definition.display()
        ),
        "A row has the values of the moment when it was computed last. The rows are left as they are.",
    );
}

fn add(plan: &Plan, status: Status, code: PgSqlErrorCode, message: &str, details: serde_json::Value) {
    let definition = &plan.definition;
    let mut entry = Entry::new(&definition.entity_name, definition.tview, "drift", audit::now());
    entry.status = status;
    entry.sqlstate = Some(error::sqlstate(code));
    entry.message = Some(message.to_string());
    entry.details = Some(details);
    audit::add(entry);
}

fn warn(plan: &Plan, message: String, detail: &str) {
    let table = quote::literal(&plan.definition.display());
    error::Problem::new(PgSqlErrorCode::ERRCODE_WARNING, message)
        .detail(detail)
        .hint(format!(
            "SELECT * FROM pg_tview_meta_audit WHERE tview_oid = {table}::regclass AND operation = 'drift'; shows which."
        ))
        .warn();
}

fn key(plan: &Plan, key: &Key) -> serde_json::Value {
    let object = plan.key_object(key);
    if object.len() > LONGEST_KEY {
        return beginning(&object).into();
    }
    serde_json::from_str(&object).unwrap_or(serde_json::Value::String(object))
}
