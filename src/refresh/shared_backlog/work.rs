//! A large backlog applied by several workers: one has read the log and moves the position, the others take parts as well.

use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::parts;
use crate::error::Caught;
use crate::postgres::process::latch;
use crate::postgres::spi;
use crate::postgres::transaction::lock::ObjectLock;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::refresh::attempt::{Prepare, Run, Step};
use crate::refresh::attempt::{Shared, Team};
use crate::refresh::audit::{self, Entry};
use crate::refresh::current;
use crate::refresh::keys::Keys;
use crate::refresh::outcome::Status;
use crate::refresh::plan::{self, Plan};
use crate::refresh::recompute;
use crate::settings;

/// Fewer keys than this are no part of their own.
const LEAST_KEYS: usize = 1_000;
/// Nor more, where a part is not the work of the whole view: who helps is back soon for what is more urgent.
const MOST_KEYS: usize = 2_500;
/// Parts for each worker: whoever is faster takes more of them.
const PARTS_EACH: usize = 2;
/// Between two looks whether others are done.
const PAUSE: Duration = Duration::from_millis(1);

/// Applies one part that another worker offers. Whatever goes wrong is left to that one.
pub fn help(prepare: Prepare, tview: Oid, part: u32) {
    let run = Run::new(Driver::Worker, prepare, tview, None, 0);
    let plan = match plan::kept(tview) {
        Some(plan) => Ok(Ok(plan)),
        None => prepare(Driver::Worker, tview),
    };
    if let Ok(Ok(plan)) = plan {
        let _ = run.part(&plan, part, None);
    }
}

fn await_others(team: &dyn Team) {
    while team.others_at_work() {
        latch::pause_or_raise(PAUSE);
    }
}

impl Run<'_> {
    /// How many keys a part of a backlog has, if there are several workers for it and it is large enough.
    pub fn size_of_parts(&self, plan: &Plan, keys: &Keys) -> Option<usize> {
        let most = settings::batch_size();
        if keys.len() <= most || !self.isolate.is_nothing() {
            return None;
        }
        let workers = self.team.map_or(1, |team| team.size());
        if workers == 1 {
            return None;
        }
        if !self.as_owner(plan, || recompute::is_by_key(plan)) {
            return Some(most);
        }
        let even = keys.len().div_ceil(workers * PARTS_EACH);
        Some(even.clamp(LEAST_KEYS, MOST_KEYS).min(most))
    }

    /// Applies stored parts, along with whoever else takes some, and moves the position.
    pub fn work_off_together(&self, plan: &Rc<Plan>, mut shared: Box<Shared>) -> Result<Status, Caught> {
        let Some(team) = self.team else {
            return Ok(Status::Busy);
        };
        team.offer(shared.parts as u32);
        let status = self.take_parts(plan, &mut shared, team);
        team.withdraw();
        // Whatever comes next wants the lock that they share.
        await_others(team);
        if !matches!(status, Ok(Status::UpToDate)) {
            let remove = || with_snapshot(|| spi::session(|| parts::remove(self.tview)));
            // They stay until the next attempt otherwise, which replaces them.
            let _ = self.driver.transaction(remove);
        }
        status
    }

    fn take_parts(&self, plan: &Rc<Plan>, shared: &mut Shared, team: &dyn Team) -> Result<Status, Caught> {
        let mut mine = std::iter::from_fn(|| team.take());
        if let Some(status) = self.each_part(plan, &mut mine, shared)? {
            return Ok(status);
        }
        await_others(team);
        // What others could not do fails here, too, or works this time.
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

    /// None: all of them are applied.
    fn each_part(
        &self,
        plan: &Rc<Plan>,
        parts: &mut dyn Iterator<Item = u32>,
        shared: &mut Shared,
    ) -> Result<Option<Status>, Caught> {
        for part in parts {
            match self.part(plan, part, Some(&mut shared.entry))? {
                Status::UpToDate => {}
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    /// One part in a transaction of its own. Problems go to `entry`; a helper, who has none, lets them fail the part.
    fn part(&self, plan: &Rc<Plan>, part: u32, entry: Option<&mut Entry>) -> Result<Status, Caught> {
        let part = part as i32;
        let step = self.driver.repeatable_read(
            || self.lock(plan, ObjectLock::Share),
            || {
                spi::session(|| {
                    let Some(found) = parts::read(self.tview, part) else {
                        return Step::Done(Status::UpToDate);
                    };
                    if current::unmoved(plan, found.before.as_ref()).is_none() {
                        return Step::Stale;
                    }
                    let result = self.checked(plan, || {
                        self.as_owner(plan, || recompute::keys(plan, &found.keys))
                    });
                    match (entry, result.problem) {
                        (Some(entry), problem) => entry.add_left_out(problem),
                        (None, Some(problem)) => problem.raise(),
                        (None, None) => {}
                    }
                    parts::done(self.tview, part, result.written);
                    Step::Done(Status::UpToDate)
                })
            },
        )?;
        Ok(step.status())
    }

    /// Moves the position, as every part is done.
    fn conclude(&self, plan: &Rc<Plan>, shared: &Shared) -> Result<Status, Caught> {
        let step = self.driver.repeatable_read(
            || self.lock(plan, ObjectLock::Exclusive),
            || {
                spi::session(|| {
                    let all =
                        |state: &parts::State| state.parts == shared.parts && state.unfinished.is_empty();
                    let (Some(now), Some(state)) = (
                        current::unmoved(plan, shared.before.as_ref()),
                        parts::state(self.tview).filter(all),
                    ) else {
                        return Step::Stale;
                    };
                    let mut entry = shared.entry.clone();
                    entry.add_written(state.written);
                    self.works(plan, now.state);
                    audit::add(entry);
                    parts::remove(self.tview);
                    Step::Done(Status::UpToDate)
                })
            },
        )?;
        Ok(step.status())
    }
}
