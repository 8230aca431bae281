//! An audit row to be written.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;

use super::unfilled_since::unfilled_since;
use crate::error::{sqlstate, Problem};
use crate::queue::append;
use crate::queue::position::Position;
use crate::refresh::feed::Changed;
use crate::refresh::left_out::kept_problem::{self, KeptProblem};
use crate::refresh::tally;

/// How a refresh or an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Success,
    /// Some keys could not be written; the others were.
    Partial,
    Error,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
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
    /// Whether a row was changed.
    pub fn any(&self) -> bool {
        self.changed() > 0
    }

    /// The number of rows that were changed.
    pub fn changed(&self) -> i64 {
        self.inserted + self.updated + self.deleted
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

/// An audit row to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    pub entity_name: String,
    pub tview: Oid,
    pub operation: &'static str,
    pub status: Status,
    pub changes_read: Option<i64>,
    pub keys_refreshed: Option<i64>,
    pub written: Option<Written>,
    /// Rows that were written to a stage, which readers do not see.
    pub staged: Option<Written>,
    pub oldest_change_at: Option<TimestampWithTimeZone>,
    pub started_at: TimestampWithTimeZone,
    pub sqlstate: Option<String>,
    pub message: Option<String>,
    pub details: Option<serde_json::Value>,
    /// What the changes of each source led to: `sources` in the details.
    pub sources: Option<serde_json::Value>,
    pub position: Option<Position>,
    /// Where the changes come from, as far as the sessions have set that.
    pub origins: Option<Vec<String>>,
    /// What the current transaction has written, for the change feed.
    pub changed: Changed,
}

impl Entry {
    /// What the transaction writes is as old as the oldest change that it applies.
    pub fn pass_age_on(&self) {
        let since = match self.operation {
            "populate" => unfilled_since(self.tview),
            _ => self.oldest_change_at,
        };
        append::applies_since(since.map(i64::from));
        tally::applies_since(self.tview, since.map(i64::from));
    }

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
            staged: None,
            oldest_change_at: None,
            started_at,
            sqlstate: None,
            message: None,
            details: None,
            sources: None,
            position: None,
            origins: None,
            changed: Changed::default(),
        }
    }

    /// Adds the rows that one more batch has written.
    pub fn add_written(&mut self, written: Written) {
        *self.written.get_or_insert_default() += written;
    }

    /// Adds the rows that one more batch has written to a stage.
    pub fn add_staged(&mut self, written: Written) {
        self.add_written(Written::default());
        *self.staged.get_or_insert_default() += written;
    }

    /// The rows that were compared, wherever they are written.
    pub fn compared(&self) -> Written {
        let mut compared = self.written.unwrap_or_default();
        compared += self.staged.unwrap_or_default();
        compared
    }

    /// Adds the rows that one more batch has written, and its rows without a place in the table.
    pub fn add_result(&mut self, written: Written, left_out: Option<Problem>, changed: Changed) {
        tally::wrote([
            written.inserted,
            written.updated,
            written.deleted,
            written.unchanged,
        ]);
        self.add_written(written);
        self.add_left_out(left_out);
        self.changed += changed;
    }

    /// Reports a problem that left some keys unchanged. Only the first problem is reported.
    pub fn add_problem(&mut self, problem: Option<Problem>) {
        let (Some(problem), Status::Success) = (problem, self.status) else {
            return;
        };
        self.status = Status::Partial;
        self.sqlstate = Some(sqlstate(problem.code));
        self.message = Some(problem.message);
        self.details = Some(serde_json::json!({ "detail": problem.detail, "hint": problem.hint }));
    }

    /// Reports rows of the view that have no place in the table.
    pub fn add_left_out(&mut self, problem: Option<Problem>) {
        if let Some(problem) = problem {
            self.keep_left_out(KeptProblem::found(problem));
        }
    }

    /// The same, perhaps found by an earlier refresh. Later refreshes read this report, even where the row
    /// also reports another problem.
    pub fn keep_left_out(&mut self, left_out: KeptProblem) {
        if self.left_out().is_some() {
            return;
        }
        let json = left_out.to_json();
        self.add_problem(Some(left_out.problem));
        let details = self.details.get_or_insert_with(|| serde_json::json!({}));
        details[kept_problem::NAME] = json;
    }

    /// Keeps the microseconds from the start until `now`: the row is added after refreshes of other TVIEWs, whose time is
    /// not its own.
    pub fn keep_took(&mut self, now: TimestampWithTimeZone) {
        let took = i64::from(now) - i64::from(self.started_at);
        let details = self.details.get_or_insert_with(|| serde_json::json!({}));
        details["took"] = took.max(0).into();
    }

    /// The problem that is reported of such rows.
    pub fn left_out(&self) -> Option<KeptProblem> {
        KeptProblem::from_json(self.details.as_ref()?.get(kept_problem::NAME)?)
    }
}
