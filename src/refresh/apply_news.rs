//! Changes that are committed before or while a large backlog is looked up and worked off. Small ones are applied first, or
//! in between, so that they do not wait for the rest of the backlog.
//!
//! They do not count as applied: the position moves to the snapshot that the queue was read in at first, and
//! the next refresh reads them again. So nothing that is left out or fails here is lost, and no reader is told
//! too early that a change is visible.

use std::rc::Rc;

use super::affected_keys::{self, Affected, FEW_CHANGES};
use super::audit::{self, Entry};
use super::current::{self, Now};
use super::failing::classes;
use super::news::News;
use super::one_refresh::Refresh;
use super::outcome::Status;
use super::plan::Plan;
use super::step::Step;
use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::lock::ObjectLock;
use crate::queue::append;
use crate::queue::position::Position;
use crate::queue::read::{self, Pending};

/// Maximum number of keys that are recomputed in between: the backlog waits for them.
const MAXIMUM_KEYS: usize = 1_000;

impl Refresh<'_> {
    /// Applies small changes that were committed meanwhile, in a transaction of its own. `backlog`: the entry
    /// of the backlog, whose changes are applied again afterwards. `before`: the position of the TVIEW.
    /// `lock`: with `Share`, other workers apply parts of the backlog at the same time. What they write of the
    /// same rows may be older; the next refresh corrects it.
    pub fn apply_news(
        &self,
        plan: &Rc<Plan>,
        news: &mut News,
        backlog: &mut Entry,
        before: Option<&Position>,
        lock: ObjectLock,
    ) -> Result<(), Caught> {
        if !self.skip.is_nothing() || !news.may_exist(|| plan.source_oids()) {
            return Ok(());
        }
        let (mut applied, earlier) = (None, news.upto());
        let work = || {
            if let Some(now) = current::unmoved(plan, before) {
                applied = self.apply_after(plan, &now, news, lock);
            }
            Step::Done(Status::UpToDate)
        };
        let result = self.transaction(|| self.lock(plan, lock), work);
        news.read();
        append::note_applied(Some(backlog.origins.clone().unwrap_or_default()));
        match (result, applied.and_then(|applied: Entry| applied.written)) {
            (Ok(_), Some(written)) => backlog.add_written(written),
            (Ok(_), None) => {}
            (Err(error), _) if error.ends_the_command() => return Err(error),
            // Another worker applies a part of the backlog with the same rows: they are tried again.
            (Err(error), _) if lock == ObjectLock::Share && classes::is_overtaken(&error) => {
                news.go_back(earlier)
            }
            // The next refresh reports it, if it comes again.
            (Err(_), _) => news.end(),
        }
        Ok(())
    }

    /// Applies the small ones of the changes that were not read yet, and writes what became of it to the feed.
    fn apply_after(&self, plan: &Plan, now: &Now, news: &mut News, lock: ObjectLock) -> Option<Entry> {
        let upto = news.move_to(now.snapshot.clone())?;
        let pending = run_internal(|| read::small_since(&upto, &plan.source_oids(), self.tview));
        let are_few = |pending: &Pending| pending.changes <= FEW_CHANGES;
        let small: Vec<Pending> = pending.into_iter().filter(are_few).collect();
        if small.is_empty() {
            return None;
        }
        let mut entry = Entry::new(&plan.definition.entity_name, self.tview, "refresh", audit::now());
        entry.oldest_change_at = small.iter().filter_map(|pending| pending.oldest).min();
        entry.origins = small.iter().find_map(|pending| pending.origins.clone());
        append::note_applied(Some(entry.origins.clone().unwrap_or_default()));
        entry.pass_age_on();
        let dead = self.read_dead_keys(plan, now);
        self.checked(plan, || {
            let affected = self.as_owner(plan, || {
                let affected = affected_keys::at_most(plan, &small, MAXIMUM_KEYS);
                match affected {
                    Affected::Keys(mut keys) => {
                        keys.split_off_dead(plan, &dead);
                        Some(keys)
                    }
                    Affected::Everything => None,
                }
            });
            let mut batches = affected?.batches(MAXIMUM_KEYS);
            let stored = match lock {
                ObjectLock::Exclusive => self.move_on(plan, now),
                ObjectLock::Share => None,
            };
            for batch in batches.by_ref() {
                self.apply_batch(plan, batch, stored.as_ref(), &mut entry);
            }
            Some(())
        })?;
        audit::write_feed(&mut entry);
        Some(entry)
    }
}
