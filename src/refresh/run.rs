//! One refresh, from lock to commit.

use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::attempt::{Backlog, First, Prepare, Run, Step, Team};
use super::audit;
use super::current;
use super::failing::kinds;
use super::outcome::{Outcome, Status};
use super::plan::{self, Plan};
use super::shared_backlog::parts;
use crate::error::Caught;
use crate::postgres::hooks::invalidation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::ObjectLock;
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::queue::is_pending::is_pending;
use crate::queue::now;
use crate::statement;

/// Refreshes one TVIEW in a background worker, outside any transaction. Catches every ERROR. `failures`: how many
/// refreshes of it have failed in a row; `team`: the workers that a large backlog can be shared with; `limit`: for each step.
pub fn run(
    prepare: Prepare,
    tview: Oid,
    failures: u32,
    team: Option<&dyn Team>,
    limit: Option<Duration>,
) -> Outcome {
    let mut run = Run::new(Driver::Worker, prepare, tview, team, failures);
    run.limit = limit;
    refresh(run).0
}

/// Refreshes one TVIEW in a procedure that may commit; the error, if any, is handed back. `may_await`: rows that wait for another
/// TVIEW are left for later.
pub fn drain(prepare: Prepare, tview: Oid, may_await: bool) -> (Outcome, Option<Caught>) {
    let mut run = Run::new(Driver::Procedure, prepare, tview, None, 0);
    run.may_await = may_await;
    refresh(run)
}

fn refresh(mut run: Run) -> (Outcome, Option<Caught>) {
    let (status, error) = loop {
        match run.go() {
            Ok(status) => break (status, None),
            Err(error) => match run.failed(error) {
                Failed::Again => {}
                Failed::Ends(status, error) => break (status, error),
            },
        }
    };
    (
        Outcome {
            changes: run.changes,
            keys: run.keys,
            duration: run.duration,
            status,
            retry_at: run.retry_at.get(),
            awaits: run.isolate.ahead && status == Status::Busy,
        },
        error,
    )
}

/// What an error leads to.
enum Failed {
    /// Another attempt, which skips more keys.
    Again,
    Ends(Status, Option<Caught>),
}

impl Run<'_> {
    /// What becomes of a refresh that failed. Each kind of keys is skipped once at most: attempts come to an end.
    fn failed(&mut self, error: Caught) -> Failed {
        let error = kinds::advise(error);
        if self.refused.get() {
            return Failed::Ends(Status::Refused, Some(error));
        }
        if error.is_cancel() && self.limit.is_some() {
            return Failed::Ends(Status::TooLong, None);
        }
        if kinds::is_in_the_way(&error) {
            let is_lock = error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
            if !is_lock || self.isolate.held || !self.at_rows {
                return Failed::Ends(Status::Busy, None);
            }
            // A session that previews its own changes, perhaps, and stays open: other rows must not wait for it.
            self.isolate.held = true;
            return Failed::Again;
        }
        if kinds::is_unwanted(self.driver, &error) {
            return Failed::Ends(Status::Failed, Some(error));
        }
        let in_parts = kinds::needs_less(&error) && !self.isolate.failing;
        if kinds::is_passing(&error) && !in_parts && !self.gives_up {
            kinds::record(self.driver, self.tview, self.started_at, &error);
            return Failed::Ends(Status::Failed, Some(error));
        }
        if kinds::is_of_the_view(&error) && self.schema_renamed() {
            // It may have looked for the old name.
            return Failed::Ends(Status::Busy, None);
        }
        let is_foreign_key = error.code == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION;
        if is_foreign_key && std::mem::take(&mut self.may_await) {
            // Where none is behind, it may have caught up a moment ago.
            self.isolate.ahead = self.neighbours_are_behind();
            return Failed::Again;
        }
        if !self.isolate.failing {
            self.isolate.failing = true;
            // The statements of the plan name types and functions, whose renaming invalidates no plan.
            plan::forget(self.tview);
            return Failed::Again;
        }
        kinds::suspend(self.driver, self.tview, self.started_at, &error);
        Failed::Ends(Status::Suspended, Some(error))
    }

    /// Whether a TVIEW has pending changes whose table has a foreign key to this one, or the other way round.
    fn neighbours_are_behind(&self) -> bool {
        let look = || {
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
        let looked = self
            .driver
            .transaction(|| with_snapshot(|| run_internal(|| spi::session(look))));
        looked.unwrap_or(false)
    }

    /// Whether a schema was made or renamed since this attempt began.
    fn schema_renamed(&self) -> bool {
        // A transaction begins with what others have changed.
        self.driver.transaction(|| ()).is_err() || invalidation::schemas() != self.schemas
    }

    /// Applies changes, then goes on with a comparison of all rows, if there is one: in a worker by one batch, as it may have
    /// more urgent work.
    fn go(&mut self) -> Result<Status, Caught> {
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
        // A plan made stale by DDL in between is made again; DDL in a loop must not keep us here.
        for _ in 0..5 {
            self.at_rows = false;
            let plan = match plan::kept(self.tview) {
                Some(plan) => plan,
                None => match (self.prepare)(self.driver, self.tview)? {
                    Ok(plan) => plan,
                    Err(status) => return Ok(status),
                },
            };
            let started = Instant::now();
            self.at_rows = true;
            match self.first(&plan)? {
                Step::Populated => return Ok(Status::UpToDate),
                Step::Done(status) => {
                    self.duration = started.elapsed();
                    return Ok(status);
                }
                Step::Stale => continue,
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

    /// The first transaction: reads the log, recomputes the first batch of keys or everything.
    fn first(&mut self, plan: &Rc<Plan>) -> Result<Step, Caught> {
        let driver = self.driver;
        let this: &Run = self;
        let result = driver.repeatable_read(
            || {
                this.lock(plan, ObjectLock::Exclusive)
                    .map(|step| First::new(step, 0, 0))
            },
            || spi::session(|| this.checked(plan, || this.under_snapshot(plan))),
        );
        let first = result?;
        self.changes += first.changes;
        self.keys += first.keys;
        Ok(first.step)
    }

    /// The rest of a backlog: one batch per transaction, each under its own snapshot; the position moves with
    /// the last, to where the first one read the log. Whatever changes meanwhile is still ahead of it.
    fn work_off(&self, plan: &Rc<Plan>, mut backlog: Box<Backlog>) -> Result<Status, Caught> {
        while let Some(batch) = backlog.batches.next() {
            let last = backlog.batches.is_empty();
            let entry = &mut backlog.entry;
            let before = backlog.before.as_ref();
            let step = self.driver.repeatable_read(
                || self.lock(plan, ObjectLock::Exclusive),
                || {
                    spi::session(|| {
                        let Some(now) = current::unmoved(plan, before) else {
                            return Step::Stale;
                        };
                        self.checked(plan, || self.batch(plan, batch, entry));
                        if last && self.held.get() {
                            return Step::Done(Status::Busy);
                        }
                        if last {
                            // Of a worker that ended before it was through.
                            parts::remove(self.tview);
                            self.works(plan, now.state);
                            audit::add(entry.clone());
                        }
                        Step::Done(Status::UpToDate)
                    })
                },
            )?;
            match step.status() {
                Status::UpToDate => {}
                other => return Ok(other),
            }
        }
        Ok(Status::UpToDate)
    }
}
