//! A large backlog applied by several workers. One worker has read the queue and moves the position; the
//! others take parts, too.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::parts;
use crate::error::Caught;
use crate::postgres::process::latch;
use crate::postgres::spi;
use crate::postgres::transaction::lock::ObjectLock;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::queue::append;
use crate::refresh::audit::{self, Entry};
use crate::refresh::cost;
use crate::refresh::current;
use crate::refresh::feed;
use crate::refresh::keys::Keys;
use crate::refresh::one_refresh::{Prepare, Refresh};
use crate::refresh::outcome::Status;
use crate::refresh::plan::{self, Plan};
use crate::refresh::recompute;
use crate::refresh::step::{Shared, Step};
use crate::refresh::tally;
use crate::refresh::team::Team;
use crate::settings;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Phase};

/// Minimum number of keys of a part.
const MINIMUM_KEYS: usize = 1_000;
/// Maximum number of keys of a part, if a part does not compute the whole view. A worker that helps is soon
/// free for more urgent work.
const MAXIMUM_KEYS: usize = 2_500;
/// The number of parts per worker. A faster worker takes more of them.
const PARTS_EACH: usize = 2;
/// How long a transaction stores parts: small changes wait for it.
const STORING: Duration = Duration::from_millis(100);
/// The pause between two checks whether other workers are done.
const PAUSE: Duration = Duration::from_millis(1);

/// Applies one part that another worker offers. `since`: when the oldest change was made that it applies. An
/// error is left to that worker, which applies the part again.
pub fn help(prepare: Prepare, tview: Oid, part: u32, since: i64) {
    let refresh = Refresh::new(Driver::Worker, prepare, tview, None, 0);
    let plan = match plan::kept(tview) {
        Some(plan) => Ok(Ok(plan)),
        None => prepare(Driver::Worker, tview),
    };
    // What is shown is the operation of the worker that it helps.
    operations::end();
    if let Ok(Ok(plan)) = plan {
        let _ = refresh.part(&plan, part, since, None);
    }
}

/// When the oldest change was made; 0: unknown.
fn since(entry: &Entry) -> i64 {
    entry.oldest_change_at.map_or(0, i64::from)
}

fn await_others(team: &dyn Team) {
    operations::phase(Phase::WaitingForWorkers);
    while team.others_at_work() {
        latch::pause_or_raise(PAUSE);
    }
}

impl Refresh<'_> {
    /// How many keys each part of a backlog has; None if there is one worker only, or the backlog is small.
    pub fn size_of_parts(&self, plan: &Plan, keys: &Keys) -> Option<usize> {
        let maximum = settings::batch_size();
        if keys.len() <= maximum || !self.skip.is_nothing() || plan.stage.is_some() {
            return None;
        }
        let workers = self.team.map_or(1, |team| team.size());
        if workers == 1 {
            return None;
        }
        if !self.as_owner(plan, || cost::is_by_key(plan)) {
            return Some(maximum);
        }
        let even = keys.len().div_ceil(workers * PARTS_EACH);
        Some(even.clamp(MINIMUM_KEYS, MAXIMUM_KEYS).min(maximum))
    }

    /// Applies stored parts, together with other workers, and moves the position.
    pub fn work_off_together(&self, plan: &Rc<Plan>, mut shared: Box<Shared>) -> Result<Status, Caught> {
        let Some(team) = self.team else {
            return Ok(Status::Busy);
        };
        let status = self.store_parts(plan, &mut shared)?;
        if status != Status::UpToDate {
            return Ok(status);
        }
        team.offer(shared.parts as u32, since(&shared.entry));
        let status = self.take_parts(plan, &mut shared, team);
        team.withdraw();
        // The next step needs the lock that they share.
        await_others(team);
        if !matches!(status, Ok(Status::UpToDate)) {
            let remove = || with_snapshot(|| spi::session(|| parts::remove(self.tview)));
            // If this fails, the next attempt replaces them.
            let _ = self.driver.transaction(remove);
        }
        status
    }

    /// Stores all parts, in several transactions if they are many, with small changes in between.
    fn store_parts(&self, plan: &Rc<Plan>, shared: &mut Shared) -> Result<Status, Caught> {
        operations::phase(Phase::Preparing);
        while !shared.batches.is_empty() {
            let work = || {
                if current::unmoved(plan, shared.before.as_ref()).is_none() {
                    return Step::Stale;
                }
                tally::ended(Stage::ReadLog);
                let before = shared.before.as_ref();
                shared.parts = parts::store(self.tview, &mut shared.batches, before, shared.parts, STORING);
                Step::Done(Status::UpToDate)
            };
            let step = self.transaction(|| self.lock(plan, ObjectLock::Exclusive), work)?;
            match step.status() {
                Status::UpToDate => {}
                other => return Ok(other),
            }
            let Shared {
                news, entry, before, ..
            } = shared;
            self.apply_news(plan, news, entry, before.as_ref(), ObjectLock::Exclusive)?;
        }
        Ok(Status::UpToDate)
    }

    fn take_parts(&self, plan: &Rc<Plan>, shared: &mut Shared, team: &dyn Team) -> Result<Status, Caught> {
        let mut mine = std::iter::from_fn(|| team.take());
        if let Some(status) = self.each_part(plan, &mut mine, shared)? {
            return Ok(status);
        }
        await_others(team);
        // Parts that failed in other workers fail here, too, or succeed this time.
        let mut left = self.unfinished()?.into_iter();
        if let Some(status) = self.each_part(plan, &mut left, shared)? {
            return Ok(status);
        }
        self.conclude(plan, shared)
    }

    fn unfinished(&self) -> Result<Vec<u32>, Caught> {
        let state = self
            .driver
            .transaction(|| with_snapshot(|| spi::session(|| parts::state(self.tview))))?;
        let parts = state.into_iter().flat_map(|state| state.unfinished);
        Ok(parts.map(|part| part as u32).collect())
    }

    /// Applies these parts. None: all of them are applied.
    fn each_part(
        &self,
        plan: &Rc<Plan>,
        parts: &mut dyn Iterator<Item = u32>,
        shared: &mut Shared,
    ) -> Result<Option<Status>, Caught> {
        for part in parts {
            let since = since(&shared.entry);
            match self.part(plan, part, since, Some(&mut shared.entry))? {
                Status::UpToDate => {}
                other => return Ok(Some(other)),
            }
            let Shared {
                news, entry, before, ..
            } = shared;
            self.apply_news(plan, news, entry, before.as_ref(), ObjectLock::Share)?;
        }
        Ok(None)
    }

    /// Applies one part in a transaction of its own. A problem is reported in `entry`; without an entry, in a
    /// worker that helps, it fails the part.
    fn part(
        &self,
        plan: &Rc<Plan>,
        part: u32,
        since: i64,
        entry: Option<&mut Entry>,
    ) -> Result<Status, Caught> {
        let part = part as i32;
        // A worker that helps does not know them.
        let origins = entry.as_ref().and_then(|entry| entry.origins.clone());
        let helps = entry.is_none();
        let applied = Cell::new(None);
        let work = || {
            let Some(found) = parts::read(self.tview, part) else {
                return Step::Done(Status::UpToDate);
            };
            if current::unmoved(plan, found.before.as_ref()).is_none() {
                return Step::Stale;
            }
            if !helps {
                operations::phase(Phase::Recomputing);
            }
            append::applies_since((since != 0).then_some(since));
            tally::ended(Stage::ReadLog);
            let result = self.checked(plan, || {
                self.as_owner(plan, || recompute::keys(plan, &found.keys))
            });
            tally::ended(Stage::Recompute);
            let written = result.written;
            tally::wrote([
                written.inserted,
                written.updated,
                written.deleted,
                written.unchanged,
            ]);
            match (entry, result.problem) {
                (Some(entry), problem) => entry.add_left_out(problem),
                (None, Some(problem)) => problem.raise(),
                (None, None) => {}
            }
            parts::done(self.tview, part, result.written);
            applied.set(Some((found.keys.len(), result.written.changed())));
            feed::write(&plan.definition, result.changed, origins.clone());
            Step::Done(Status::UpToDate)
        };
        let step = self.transaction(|| self.lock(plan, ObjectLock::Share), work)?;
        if let Some((keys, written)) = applied.get() {
            if helps {
                operations::advance_other(self.tview, keys, written);
            } else {
                operations::advance(keys, written);
            }
        }
        Ok(step.status())
    }

    /// Moves the position: all parts are applied.
    fn conclude(&self, plan: &Rc<Plan>, shared: &Shared) -> Result<Status, Caught> {
        let work = || {
            let all = |state: &parts::State| state.parts == shared.parts && state.unfinished.is_empty();
            let (Some(now), Some(state)) = (
                current::unmoved(plan, shared.before.as_ref()),
                parts::state(self.tview).filter(all),
            ) else {
                return Step::Stale;
            };
            tally::ended(Stage::ReadLog);
            let mut entry = shared.entry.clone();
            entry.add_written(state.written);
            self.enter_state_after(plan, now.state);
            audit::add(entry);
            parts::remove(self.tview);
            Step::Done(Status::UpToDate)
        };
        let step = self.transaction(|| self.lock(plan, ObjectLock::Exclusive), work)?;
        Ok(step.status())
    }
}
