//! A comparison of all rows of a large TVIEW with its view: for the first time, after a redefinition, or
//! because all rows may have changed. Batches of keys, in order, each in a transaction of its own; changes
//! are applied in between.
//!
//! ```text
//! snapshot P -> position P, a row in pg_tview_comparison -> keys 1 to n -> changes since P -> keys n + 1 to 2n -> ... -> done
//! ```
//!
//! A batch is computed in a later snapshot than P. Later changes are still ahead of the position, or follow
//! from a change that is. So batches and changes may be applied in any order.

use std::cell::Cell;
use std::time::Instant;

use pgrx::PgSqlErrorCode;

use super::batch_size;
use super::key_order::KeyOrder;
use super::method;
use super::next_keys::{next_keys, parameters, NextKeys};
use super::stage;
use super::state::{self, Cause, Comparison};
use crate::error::Caught;
use crate::postgres::transaction::lock::ObjectLock;
use crate::queue::read::Pending;
use crate::refresh::audit::{self, Entry, Written};
use crate::refresh::batch::Batch;
use crate::refresh::current;
use crate::refresh::equal_keys;
use crate::refresh::failing::dead_letter::{self, Failed};
use crate::refresh::left_out::{problems, report};
use crate::refresh::one_refresh::Refresh;
use crate::refresh::outcome::Status;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::{self, Plan};
use crate::refresh::progress;
use crate::refresh::recompute;
use crate::refresh::step::Step;
use crate::refresh::tally;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Kind, Phase};

impl Refresh<'_> {
    /// Begins a comparison of all rows in batches, or schedules another one after the comparison in progress.
    /// False if all rows are to be compared together.
    /// `to_stage`: the rows go to a stage first, if there can be one.
    pub fn compare_in_batches(
        &self,
        plan: &Plan,
        populates: bool,
        pending: &[Pending],
        to_stage: bool,
    ) -> bool {
        let cause = Cause::of(self.tview, pending);
        if self.comparing.get().is_some() && !populates {
            state::again(self.tview, &cause);
            return true;
        }
        let Some(method) = self.as_owner(plan, || method::in_batches(plan)) else {
            if self.comparing.take().is_some() {
                state::remove(self.tview);
            }
            return false;
        };
        let size = batch_size::first();
        state::begin(self.tview, populates, method.by_range, size, &cause, method.rows);
        if to_stage && stage::create(plan) {
            // These keys say something about the old rows. All rows are computed again.
            dead_letter::clear(self.tview);
        }
        self.comparing.set(Some(populates));
        true
    }

    /// Compares the next batch, in a transaction of its own.
    pub fn compare_batch(&mut self) -> Result<Status, Caught> {
        let Some(plan) = plan::kept(self.tview) else {
            return Ok(Status::Comparing);
        };
        self.all_partitions.set(true);
        let this: &Refresh = self;
        let compared = Cell::new(None);
        let step = this.transaction(
            || this.lock(&plan, ObjectLock::Exclusive),
            || this.next_batch(&plan, &compared),
        )?;
        // What is shown is committed: if it were not, it could go back.
        if let Some((comparison, written)) = compared.take() {
            comparison.show(written);
        }
        match step {
            Step::Stale => Ok(Status::Comparing),
            step => Ok(step.status()),
        }
    }

    /// `compared`: the comparison as it was before this batch, and what the batch has compared.
    fn next_batch(&self, plan: &Plan, compared: &Cell<Option<(Comparison, Written)>>) -> Step {
        let begin = Instant::now();
        let now = current::now(self.tview).filter(|now| now.state.may_refresh());
        let Some(now) = now else {
            return Step::Done(Status::NotReady);
        };
        if now.hash != plan.hash {
            plan::forget(self.tview);
            return Step::Stale;
        }
        let Ok(staged) = self.find_stage(plan, &now) else {
            // The next attempt makes another one.
            return Step::Stale;
        };
        let target: &Plan = staged.as_ref().map_or(plan, |staged| &staged.rows);
        let Some(mut comparison) = state::read(self.tview) else {
            return Step::Done(Status::UpToDate);
        };
        comparison.pass_age_on(self.tview);
        progress::begin(Kind::of_all_rows(comparison.populates), &plan.definition);
        operations::phase(Phase::Comparing);
        comparison.show(Written::default());
        let mut entry = Entry::new(&plan.definition.entity_name, self.tview, "refresh", audit::now());
        let complete = self.compare_next(target, &now, &mut comparison, &mut entry);
        comparison.keys_at_once = batch_size::next(comparison.keys_at_once, begin.elapsed());
        tally::ended(Stage::Recompute);
        if !complete || !comparison.held.is_empty() {
            if staged.is_some() {
                self.enter_state_after(plan, now.state);
            }
            comparison.advance(self.tview, &entry);
            audit::write_feed(&mut entry);
            compared.set(Some((comparison, entry.compared())));
            return Step::Done(if complete { Status::Busy } else { Status::Comparing });
        }
        match staged {
            Some(staged) => self.replace_rows(plan, &staged, now, comparison, &entry),
            None => self.complete(plan, now, comparison, entry),
        }
    }

    /// Compares the next keys. Whether they are the last ones.
    fn compare_next(
        &self,
        plan: &Plan,
        now: &current::Now,
        comparison: &mut Comparison,
        entry: &mut Entry,
    ) -> bool {
        // Keys that fail, or whose rows other sessions hold, can only be skipped key by key.
        let skips = !self.skip.is_nothing() || now.has_dead_keys;
        let by_range = comparison.by_range && (plan.stage.is_some() || !skips);
        tally::ended(Stage::ReadLog);
        let next = self.as_owner(plan, || next_keys(plan, comparison, !by_range));
        tally::ended(Stage::FindKeys);
        let Some(next) = next else {
            self.apply_everything(plan, now.has_dead_keys, entry);
            return true;
        };
        let after = comparison.compared_to.take();
        comparison.compared_to = next.keys.first().cloned().or(after.clone());
        let last = !next.more;
        if by_range {
            self.compare_range(plan, after, comparison, &next, entry);
        } else if now.has_dead_keys {
            self.remove_dead(plan, &next.keys);
        }
        let keys = if by_range { Vec::new() } else { next.keys };
        self.compare(plan, keys, last, comparison, entry);
        last
    }

    /// Compares the rows after a key, up to another key or to the end.
    fn compare_range(
        &self,
        plan: &Plan,
        after: Option<Key>,
        comparison: &Comparison,
        next: &NextKeys,
        entry: &mut Entry,
    ) {
        let upto = comparison.compared_to.as_ref().filter(|_| next.more);
        let result = self.as_owner(plan, || {
            let order = KeyOrder::of(plan)?;
            let range = plan.shape.range(&order, after.is_some(), upto.is_some());
            let ends = after.iter().chain(upto);
            let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
            Some(recompute::range(plan, &range, &parameters, !next.in_table))
        });
        if let Some(mut result) = result {
            if plan.stage.is_some() {
                stage::keep_old_rows(&mut result.problem);
            }
            result.note(entry);
        }
    }

    /// Recomputes the rows of these keys. The last batch includes the keys that were skipped so far.
    fn compare(
        &self,
        plan: &Plan,
        mut keys: Vec<Key>,
        last: bool,
        comparison: &mut Comparison,
        entry: &mut Entry,
    ) {
        if last {
            keys.append(&mut comparison.held);
        }
        if keys.is_empty() {
            return;
        }
        let (failed, held) = self.apply_isolated(plan, Batch::from(&keys[..]), entry);
        comparison.held.extend(held);
        let (for_later, failed): (Vec<Failed>, Vec<Failed>) = failed
            .into_iter()
            .partition(|failed| !last && may_succeed_later(failed));
        comparison
            .held
            .extend(for_later.into_iter().map(|failed| failed.key));
        self.note_failed(plan, failed, entry);
    }

    /// Removes these keys from the dead keys. Keys that fail once more are added again.
    fn remove_dead(&self, plan: &Plan, keys: &[Key]) {
        let dead = dead_letter::read(plan).all;
        let pairs = self.as_owner(plan, || equal_keys::pairs(plan, keys, &dead));
        let dead = pairs.into_iter().map(|(_, place)| dead[place].clone());
        dead_letter::remove(plan, dead.collect());
    }

    /// Ends the comparison. `entry`: what its last step has written.
    pub fn complete(&self, plan: &Plan, now: current::Now, comparison: Comparison, mut entry: Entry) -> Step {
        entry.add_left_out(self.as_owner(plan, || problems::null_keys(plan)));
        let again = comparison.again;
        let mut entry = comparison.entry(plan, entry);
        // A refresh in between may have found rows with keys that were compared before.
        self.as_owner(plan, || report::report_earlier(plan, now.left_out, &mut entry));
        // The position that the queue was read up to. It says when the rows became visible.
        entry.position = now.position;
        if again {
            state::restart(self.tview);
        } else {
            state::remove(self.tview);
        }
        self.comparing.set(again.then_some(false));
        self.enter_state_after(plan, now.state);
        audit::add(entry);
        Step::Done(if again {
            Status::Comparing
        } else {
            Status::UpToDate
        })
    }
}

/// Whether the key may succeed once other rows are written: another row may still have a unique value, or the
/// row that a foreign key refers to may not exist yet.
fn may_succeed_later(failed: &Failed) -> bool {
    matches!(
        failed.error.code,
        PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION | PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
    )
}
