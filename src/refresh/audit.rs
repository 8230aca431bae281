//! One row in `pg_tview_meta_audit` per refresh and per management action.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use super::kept_problem::{self, KeptProblem};
use crate::catalog::session_statement::SessionStatement;
use crate::error::sqlstate;
use crate::error::Problem;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::queue::position::Position;
use crate::statement;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Success,
    /// Some keys could not be written; the others were.
    Partial,
    Error,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Success => "SUCCESS",
            Status::Partial => "PARTIAL",
            Status::Error => "ERROR",
        }
    }
}

/// Rows written, by kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub unchanged: i64,
}

impl Written {
    /// Whether any row was.
    pub fn any(&self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, other: Written) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.unchanged += other.unchanged;
    }
}

/// A row to be.
#[derive(Debug, Clone)]
pub struct Entry {
    pub entity_name: String,
    pub tview: Oid,
    pub operation: &'static str,
    pub status: Status,
    pub changes_read: Option<i64>,
    pub keys_refreshed: Option<i64>,
    pub written: Option<Written>,
    pub oldest_change_at: Option<TimestampWithTimeZone>,
    pub started_at: TimestampWithTimeZone,
    pub sqlstate: Option<String>,
    pub message: Option<String>,
    pub details: Option<serde_json::Value>,
    pub position: Option<Position>,
}

impl Entry {
    pub fn new(
        entity_name: &str,
        tview: Oid,
        operation: &'static str,
        started_at: TimestampWithTimeZone,
    ) -> Entry {
        Entry {
            entity_name: entity_name.to_string(),
            tview,
            operation,
            status: Status::Success,
            changes_read: None,
            keys_refreshed: None,
            written: None,
            oldest_change_at: None,
            started_at,
            sqlstate: None,
            message: None,
            details: None,
            position: None,
        }
    }
}

impl Entry {
    /// What one more batch has written.
    pub fn add_written(&mut self, written: Written) {
        *self.written.get_or_insert_default() += written;
    }

    /// A problem that left some keys as they were; the first one is told.
    pub fn add_problem(&mut self, problem: Option<Problem>) {
        let (Some(problem), Status::Success) = (problem, self.status) else {
            return;
        };
        self.status = Status::Partial;
        self.sqlstate = Some(sqlstate(problem.code));
        self.message = Some(problem.message);
        self.details = Some(serde_json::json!({ "detail": problem.detail, "hint": problem.hint }));
    }

    /// Rows of the view have no place in the table.
    pub fn add_left_out(&mut self, problem: Option<Problem>) {
        if let Some(problem) = problem {
            self.keep_left_out(KeptProblem::found(problem));
        }
    }

    /// The same, found earlier perhaps. Later refreshes read this in the row, whatever else it reports.
    pub fn keep_left_out(&mut self, left_out: KeptProblem) {
        if self.left_out().is_some() {
            return;
        }
        let json = left_out.to_json();
        self.add_problem(Some(left_out.problem));
        let details = self.details.get_or_insert_with(|| serde_json::json!({}));
        details[kept_problem::NAME] = json;
    }

    /// What the entry reports of such rows.
    pub fn left_out(&self) -> Option<KeptProblem> {
        KeptProblem::from_json(self.details.as_ref()?.get(kept_problem::NAME)?)
    }
}

thread_local! {
    static ADD: SessionStatement = const { SessionStatement::new() };
}

/// Adds the row in the current transaction.
pub fn add(entry: Entry) {
    let written = entry.written;
    let args = [
        Value::of(entry.entity_name),
        Value::of(entry.tview),
        Value::of(entry.operation),
        Value::of(entry.status.name()),
        Value::of(entry.changes_read),
        Value::of(entry.keys_refreshed),
        Value::of(written.map(|w| w.inserted)),
        Value::of(written.map(|w| w.updated)),
        Value::of(written.map(|w| w.deleted)),
        Value::of(written.map(|w| w.unchanged)),
        Value::of(entry.oldest_change_at),
        Value::of(entry.started_at),
        Value::of(entry.sqlstate),
        Value::of(entry.message),
        Value::of(entry.position.map(|position| position.to_string())),
        Value::of(entry.details.map(|details| details.to_string())),
    ];
    use pg_sys::{INT8OID, OIDOID, TEXTOID, TIMESTAMPTZOID};
    let types = [
        TEXTOID,
        OIDOID,
        TEXTOID,
        TEXTOID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
    ];
    run_internal(|| {
        planned_once();
        spi::session(|| {
            ADD.with(|add| add.get(|| statement!("audit_add"), &types))
                .run(Access::Current, &args, 0);
        })
    });
}

/// The wall clock.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::clock_timestamp()
}
