//! What follows an attempt at a refresh that failed: another attempt, or the end of the refresh.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::failing::search_path_hint::with_search_path_hint;
use super::failing::{classes, record};
use super::one_refresh::Refresh;
use super::outcome::Status;
use super::plan;
use crate::error::Caught;
use crate::postgres::hooks::function_calls;
use crate::postgres::hooks::invalidation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{await_invalidations_of, with_snapshot};
use crate::queue::is_pending::is_pending;
use crate::queue::now;
use crate::statement;

/// What an error leads to.
pub enum AfterError {
    /// Another attempt, which skips more keys.
    Again,
    End(Status, Option<Caught>),
}

impl Refresh<'_> {
    /// Decides what follows an attempt that failed. Each attempt skips one more class of keys, so attempts
    /// come to an end.
    pub fn after_error(&mut self, error: Caught) -> AfterError {
        let error = with_search_path_hint(error);
        if self.refused.get() || function_calls::was_refused() {
            return AfterError::End(Status::Refused, Some(error));
        }
        if error.is_cancel() && self.limit.is_some() {
            return AfterError::End(Status::TooLong, None);
        }
        let was_replacing = self.replacing.replace(false);
        self.may_replace &= !(was_replacing && classes::may_succeed_in_parts(&error));
        self.may_be_at_once &= !classes::may_succeed_in_parts(&error);
        if classes::is_in_the_way(&error) {
            let is_lock = error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
            if !is_lock || self.skip.held || !self.at_rows {
                return AfterError::End(Status::Busy, None);
            }
            // The session may stay open for long (it previews its own changes, say): other rows must not wait
            // for it.
            self.skip.held = true;
            return AfterError::Again;
        }
        if classes::is_cancelled_drain(self.driver, &error) {
            return AfterError::End(Status::Failed, Some(error));
        }
        let in_parts = classes::is_out_of_memory(&error) && !self.skip.failing;
        if classes::is_of_the_server(&error) && !in_parts && !self.skips_server_errors {
            record::record(self.driver, self.tview, self.started_at, &error);
            return AfterError::End(Status::Failed, Some(error));
        }
        if classes::is_of_the_view(&error) && self.schema_renamed() {
            // The view may call a function that uses the old name.
            return AfterError::End(Status::Busy, None);
        }
        let is_foreign_key = error.code == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION;
        if is_foreign_key && std::mem::take(&mut self.may_await) {
            // If no neighbour is behind, it may have caught up a moment ago.
            self.skip.awaiting = self.neighbours_are_behind();
            return AfterError::Again;
        }
        if !self.skip.failing {
            self.skip.failing = true;
            // The statements of the plan name types and functions; renaming these invalidates no plan.
            plan::forget(self.tview);
            return AfterError::Again;
        }
        if classes::is_of_the_view(&error) && self.schema_renamed_by_now() {
            return AfterError::End(Status::Busy, None);
        }
        let error = if self.redefines.get() {
            old_rows_stay(error)
        } else {
            error
        };
        record::suspend(self.driver, self.tview, self.started_at, &error);
        AfterError::End(Status::Suspended, Some(error))
    }

    /// Whether a TVIEW has pending changes whose table has a foreign key to, or from, the table of this one.
    fn neighbours_are_behind(&self) -> bool {
        let ask = || {
            let args = [(pg_sys::OIDOID, Value::of(self.tview))];
            let rows = spi::run(
                &statement!("tviews_foreign_key_neighbours"),
                Access::Snapshot,
                &args,
            );
            let neighbours: Vec<Oid> = (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect();
            let target = now::seen();
            neighbours.into_iter().any(|tview| is_pending(tview, &target))
        };
        let answer = self
            .driver
            .transaction(|| with_snapshot(|| run_internal(|| spi::session(ask))));
        answer.unwrap_or(false)
    }

    /// The same, also for a commit that is visible and whose invalidations are still to come.
    fn schema_renamed_by_now(&self) -> bool {
        let announced = || {
            let rows = spi::run(&statement!("schemas_written_by"), Access::Snapshot, &[]);
            let writers = (0..rows.len()).filter_map(|row| rows.get::<i64>(row, 0));
            writers.for_each(|xid| await_invalidations_of((xid as u32).into()));
        };
        let waited = self
            .driver
            .transaction(|| with_snapshot(|| run_internal(|| spi::session(announced))));
        waited.is_ok() && self.schema_renamed()
    }

    /// Whether a schema was created or renamed since this attempt began.
    fn schema_renamed(&self) -> bool {
        // The begin of a transaction processes the invalidations of other sessions.
        self.driver.transaction(|| ()).is_err() || invalidation::schemas() != self.schemas
    }
}

/// What to do after a redefinition that failed.
fn old_rows_stay(mut error: Caught) -> Caught {
    let hint = "All rows stay as the definition before has made them. Correct the row that fails, or redefine the TVIEW. \
                With pg_tviews.redefine_limit = 0 all other rows are updated, and pg_tview_dead_letter has the keys that fail.";
    error.hint = Some(match error.hint {
        Some(first) => format!("{first} {hint}"),
        None => hint.to_string(),
    });
    error
}
