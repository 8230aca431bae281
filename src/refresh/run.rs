//! Runs a refresh, from the first lock to the last commit.

use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::audit;
use super::comparison::batch_size;
use super::current;
use super::one_refresh::{Prepare, Refresh};
use super::outcome::{Outcome, Status};
use super::plan::{self, Plan};
use super::progress::UntilEnd;
use super::retry_or_suspend::AfterError;
use super::shared_backlog::parts;
use super::step::{Backlog, First, Step};
use super::tally;
use super::team::Team;
use crate::catalog::TviewInfo;
use crate::error::Caught;
use crate::postgres::hooks::invalidation;
use crate::postgres::transaction::lock::ObjectLock;
use crate::postgres::transaction::Driver;
use crate::queue::append;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Phase};

/// Refreshes one TVIEW in a background worker, outside any transaction. Catches every ERROR.
///
/// `tview`: as the worker knows it; `failures`: how many refreshes of this TVIEW have failed in a row; `team`: the workers that a large
/// backlog can be shared with; `limit`: how long each step may take.
pub fn run(
    prepare: Prepare,
    tview: &TviewInfo,
    failures: u32,
    team: Option<&dyn Team>,
    limit: Option<Duration>,
) -> Outcome {
    let mut refresh = Refresh::new(Driver::Worker, prepare, tview.tview, team, failures);
    refresh.known_group = Some(tview.membership.clone());
    refresh.limit = limit;
    run_to_end(refresh).0
}

/// Refreshes one TVIEW in a procedure that may commit. Returns the error, if any. `may_await`: rows that wait
/// for another TVIEW are left for later.
pub fn drain(prepare: Prepare, tview: Oid, may_await: bool) -> (Outcome, Option<Caught>) {
    let mut refresh = Refresh::new(Driver::Procedure, prepare, tview, None, 0);
    refresh.may_await = may_await;
    run_to_end(refresh)
}

/// Makes attempts until one succeeds, or its error ends the refresh.
fn run_to_end(mut refresh: Refresh) -> (Outcome, Option<Caught>) {
    let _shown = UntilEnd;
    let (status, error) = loop {
        match refresh.attempt() {
            Ok(status) => break (status, None),
            Err(error) => {
                let class = tally::class(&error);
                match refresh.after_error(error) {
                    AfterError::Again => tally::failed(refresh.tview, class),
                    AfterError::End(status, error) => {
                        if !matches!(status, Status::Refused | Status::TooLong) {
                            tally::failed(refresh.tview, class);
                        }
                        break (status, error);
                    }
                }
            }
        }
    };
    // What went to a stage is not visible.
    if status == Status::UpToDate || status == Status::Comparing && !refresh.redefines.get() {
        refresh.note_absorbed(status == Status::UpToDate);
    }
    append::note_applied(None);
    (
        Outcome {
            changes: refresh.changes,
            keys: refresh.keys,
            duration: refresh.duration,
            status,
            retry_at: refresh.retry_at.get(),
            awaits: refresh.skip.awaiting && status == Status::Busy,
        },
        error,
    )
}

impl Refresh<'_> {
    /// Applies changes, then continues a comparison of all rows if one is in progress. A worker compares one
    /// batch only: more urgent work may be waiting for it.
    fn attempt(&mut self) -> Result<Status, Caught> {
        loop {
            let status = self.apply()?;
            if status != Status::UpToDate || self.comparing.get().is_none() {
                return Ok(status);
            }
            match self.compare_batch()? {
                Status::Comparing if self.driver == Driver::Procedure => continue,
                status => return Ok(status),
            }
        }
    }

    fn apply(&mut self) -> Result<Status, Caught> {
        self.schemas = invalidation::schemas();
        // If DDL makes the plan stale in between, the plan is made again. DDL in a loop must not block this
        // process.
        for _ in 0..5 {
            self.at_rows = false;
            let plan = match plan::kept(self.tview).filter(|plan| plan.in_step.get()) {
                Some(plan) => plan,
                None => match (self.prepare)(self.driver, self.tview)? {
                    Ok(plan) => plan,
                    Err(status) => return Ok(status),
                },
            };
            let started = Instant::now();
            self.at_rows = true;
            let step = self.first(&plan)?;
            let staged = self.staged.take();
            let plan = staged.map_or(plan, |staged| staged.rows.clone());
            match self.looked_up(&plan, step)? {
                Step::Populated => return Ok(Status::UpToDate),
                Step::Done(status) => {
                    self.duration = started.elapsed();
                    return Ok(status);
                }
                Step::Stale => continue,
                Step::Alone | Step::LookUp(_) => return Ok(Status::Busy),
                Step::More(backlog) => {
                    let status = self.work_off(&plan, backlog);
                    self.duration = started.elapsed();
                    return status;
                }
                Step::Shared(shared) => {
                    let status = self.work_off_together(&plan, shared);
                    self.duration = started.elapsed();
                    return status;
                }
            }
        }
        Ok(Status::Busy)
    }

    /// The first transaction: reads the queue, and recomputes the first batch of keys or everything.
    fn first(&mut self, plan: &Rc<Plan>) -> Result<Step, Caught> {
        let this: &Refresh = self;
        let lock = || {
            this.note_commits(plan);
            this.lock(plan, ObjectLock::Exclusive)
                .map(|step| First::new(step, 0, 0))
        };
        let first = this.transaction(lock, || this.checked(plan, || this.apply_first(plan)))?;
        Ok(self.counted(first))
    }

    /// The step after the first transaction, or after those that look up keys in parts.
    fn looked_up(&mut self, plan: &Rc<Plan>, step: Step) -> Result<Step, Caught> {
        match step {
            Step::LookUp(look_up) => {
                let first = self.look_up(plan, look_up)?;
                Ok(self.counted(first))
            }
            step => Ok(step),
        }
    }

    fn counted(&mut self, first: First) -> Step {
        self.changes += first.changes;
        self.keys += first.keys;
        first.step
    }

    /// The rest of a backlog: one batch per transaction, each under its own snapshot. The last transaction
    /// moves the position to the snapshot of the first, which read the queue. Later changes are still ahead
    /// of the position. Small ones are applied in between, see [`Refresh::apply_news`].
    fn work_off(&self, plan: &Rc<Plan>, mut backlog: Box<Backlog>) -> Result<Status, Caught> {
        while let Some(batch) = backlog.batches.next() {
            let begin = Instant::now();
            let last = backlog.batches.is_empty();
            let entry = &mut backlog.entry;
            let before = backlog.before.as_ref();
            let work = || {
                let Some(now) = current::unmoved(plan, before) else {
                    return Step::Stale;
                };
                entry.pass_age_on();
                tally::ended(Stage::ReadLog);
                self.checked(plan, || {
                    operations::phase(Phase::Recomputing);
                    let stored = self.move_on(plan, &now);
                    self.apply_batch(plan, batch, stored.as_ref(), entry);
                });
                if last && !self.held.get() {
                    // Parts of a shared backlog whose worker exited early.
                    parts::remove(self.tview);
                    self.enter_state_after(plan, now.state);
                    audit::add(entry.clone());
                    return Step::Done(Status::UpToDate);
                }
                audit::write_feed(entry);
                Step::Done(if last { Status::Busy } else { Status::UpToDate })
            };
            let step = self.transaction(|| self.lock(plan, ObjectLock::Exclusive), work)?;
            match step.status() {
                Status::UpToDate if last => break,
                Status::UpToDate => {}
                other => return Ok(other),
            }
            if backlog.in_small_batches {
                let size = batch_size::next(backlog.batches.size(), begin.elapsed());
                backlog.batches.resize(size);
            }
            let Backlog {
                news, entry, before, ..
            } = &mut *backlog;
            self.apply_news(plan, news, entry, before.as_ref(), ObjectLock::Exclusive)?;
        }
        Ok(Status::UpToDate)
    }
}
