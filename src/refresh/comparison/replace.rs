//! The end of a redefinition that has filled a stage: one transaction replaces the rows of the tv table by those of the stage.

use super::at_once::Tried;
use super::state::{self, Comparison};
use super::{at_once, stage_table};
use crate::postgres::process::time_limit;
use crate::postgres::transaction::Driver;
use crate::refresh::affected_keys::Affected;
use crate::refresh::audit::{self, Entry};
use crate::refresh::current::Now;
use crate::refresh::existing_keys;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::outcome::Status;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::staged::Staged;
use crate::refresh::plan::Plan;
use crate::refresh::progress::watching_rows;
use crate::refresh::step::Step;
use crate::settings;
use crate::wake::operations::{self, Phase};

use std::time::Duration;

/// How often a worker gives way to the sessions that wait for its locks.
const MAXIMUM_GIVEN_WAY: u32 = 10;

impl Refresh<'_> {
    /// Replaces the rows of the table, and completes the comparison. `last`: what the last batch reports.
    pub fn replace_rows(
        &self,
        plan: &Plan,
        staged: &Staged,
        now: Now,
        mut comparison: Comparison,
        last: &Entry,
    ) -> Step {
        let definition = &plan.definition;
        let mut entry = Entry::new(
            &definition.entity_name,
            definition.tview,
            "refresh",
            last.started_at,
        );
        let tried = if self.may_replace {
            self.replacing.set(true);
            let tried = self.try_at_once(
                plan,
                self.limit_to_replace(),
                MAXIMUM_GIVEN_WAY,
                &mut entry,
                |entry| self.replace_all(&staged.replace, entry),
            );
            self.replacing.set(false);
            tried
        } else {
            Tried::Undone
        };
        match tried {
            Tried::GaveWay => return Step::Done(Status::Busy),
            Tried::Undone | Tried::Done(None) => {
                self.end_stage(plan);
                return Step::Done(Status::Comparing);
            }
            Tried::Done(Some(held)) => comparison.held = held,
        }
        self.end_stage(plan);
        comparison.forget_written();
        if comparison.held.is_empty() {
            return self.complete(plan, now, comparison, entry);
        }
        comparison.advance(self.tview, &entry);
        audit::write_feed(&mut entry);
        Step::Done(Status::Busy)
    }

    /// The comparison writes the tv table from now on.
    fn end_stage(&self, plan: &Plan) {
        plan.forget_staged();
        state::unstage(self.tview);
        stage_table::drop_of(self.tview);
    }

    /// Returns the keys whose rows other sessions hold; None if these cannot be left out.
    fn replace_all(&self, replace: &Plan, entry: &mut Entry) -> Option<Vec<Key>> {
        if !self.skip.held || self.skip.failing {
            let result = self.compare_everything(replace, Phase::Replacing);
            result.note(entry);
            return Some(Vec::new());
        }
        let keys = match self.as_owner(replace, || existing_keys::of_view_and_table(replace)) {
            Affected::Keys(keys) => keys,
            Affected::Everything => return None,
        };
        let mut all = Vec::new();
        for batch in keys.batches(at_once::KEYS_AT_ONCE) {
            operations::phase(Phase::Replacing);
            let (failed, held) = watching_rows(|| self.apply_isolated(replace, batch, entry));
            self.note_failed(replace, failed, entry);
            all.extend(held);
        }
        Some(all)
    }

    /// What takes longer than a timeout would fail, again and again.
    fn limit_to_replace(&self) -> Duration {
        let limit = time_limit::left().map_or(Duration::MAX, |left| left / 2);
        match (self.driver, settings::refresh_timeout()) {
            (Driver::Procedure, _) | (_, Duration::ZERO) => limit,
            (Driver::Worker, timeout) => limit.min(timeout / 10 * 9),
        }
    }
}
