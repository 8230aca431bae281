//! Recomputes one batch of keys, or all rows, and notes the result in the audit row.

use super::audit::Entry;
use super::batch::Batch;
use super::comparison::stage;
use super::failing::dead_letter::{self, Failed};
use super::failing::isolate;
use super::one_refresh::Refresh;
use super::plan::key::Key;
use super::plan::Plan;
use super::progress;
use super::recompute;
use super::running::store;
use super::tally;
use crate::queue::position::Position;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Phase};

impl Refresh<'_> {
    /// Recomputes a batch of keys. `stored`: the snapshot that stored groups were moved to, see
    /// [`Refresh::move_on`].
    pub fn apply_batch(&self, plan: &Plan, batch: Batch, stored: Option<&Position>, entry: &mut Entry) {
        let (keys, written) = (batch.len(), progress::written(entry));
        self.recompute_batch(plan, batch, stored, entry);
        operations::advance(keys, progress::written(entry) - written);
    }

    fn recompute_batch(&self, plan: &Plan, batch: Batch, stored: Option<&Position>, entry: &mut Entry) {
        if let (true, Some(snapshot)) = (self.skip.is_nothing(), stored) {
            let (result, noted) = self.as_owner(plan, || recompute::keys_running(plan, &batch));
            tally::ended(Stage::Recompute);
            result.note(entry);
            store::keep(plan, snapshot, &noted);
            return;
        }
        let (failed, held) = self.apply_isolated(plan, batch, entry);
        tally::ended(Stage::Recompute);
        self.held.set(self.held.get() || !held.is_empty());
        self.note_failed(plan, failed, entry);
    }

    /// Recomputes a batch of keys. Returns the keys that are skipped: those that fail, and those whose rows
    /// another session holds.
    pub fn apply_isolated(
        &self,
        plan: &Plan,
        mut batch: Batch,
        entry: &mut Entry,
    ) -> (Vec<Failed>, Vec<Key>) {
        if plan.stage.is_some() {
            // Nobody else has rows there, and one that fails leaves all old rows.
            let mut result = self.as_owner(plan, || recompute::keys(plan, &batch));
            stage::keep_old_rows(&mut result.problem);
            result.note(entry);
            return (Vec::new(), Vec::new());
        }
        let mut held = Vec::new();
        if self.skip.held {
            (batch, held) = self.as_owner(plan, || recompute::lock_free_rows(plan, batch));
        }
        if batch.is_empty() {
            return (Vec::new(), held);
        }
        if self.skip.is_nothing() {
            let result = self.as_owner(plan, || recompute::keys(plan, &batch));
            result.note(entry);
            return (Vec::new(), held);
        }
        operations::phase(Phase::Isolating);
        let outcome = isolate::each(plan, vec![batch], self.sandbox(), self.skip);
        outcome.result.note(entry);
        held.extend(outcome.held);
        (outcome.failed, held)
    }

    /// Compares the whole view with the table. Returns how many rows there are.
    pub fn apply_everything(&self, plan: &Plan, has_dead_keys: bool, entry: &mut Entry) -> u64 {
        let mut result = self.compare_everything(plan, Phase::Comparing);
        if plan.stage.is_some() {
            stage::keep_old_rows(&mut result.problem);
        }
        self.note_everything(result, has_dead_keys, entry)
    }

    /// Compares the whole view with the table. `phase`: what is shown of it.
    pub fn compare_everything(&self, plan: &Plan, phase: Phase) -> recompute::Result {
        operations::phase(phase);
        let result = self.as_owner(plan, || recompute::everything(plan));
        tally::ended(Stage::Recompute);
        result
    }

    /// Notes the result in the audit row; no key is dead any more. Returns how many rows there are.
    pub fn note_everything(&self, result: recompute::Result, has_dead_keys: bool, entry: &mut Entry) -> u64 {
        let written = result.written;
        let rows = written.inserted + written.updated + written.deleted + written.unchanged;
        entry.keys_refreshed = Some(rows);
        result.note(entry);
        if has_dead_keys {
            dead_letter::clear(self.tview);
            self.retry_at.set(None);
        }
        rows as u64
    }
}
