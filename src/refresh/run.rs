//! One refresh, from lock to commit.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::audit::{self, Entry};
use super::care::Care;
use super::failure;
use super::fingerprint::Difference;
use super::keys::Batches;
use super::parts;
use super::plan::{self, Plan};
use super::together::{Shared, Team};
use super::wait;
use crate::catalog::definition;
use crate::catalog::register::{note_view, reregister, Fill};
use crate::catalog::{restored, triggers};
use crate::error::Problem;
use crate::postgres::identity::{self, run_internal};
use crate::postgres::invalidation;
use crate::postgres::lock::{self, Attempt, ObjectLock, TableLock};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{with_snapshot, Caught, Driver};
use crate::queue::position::Position;
use crate::{settings, statement};

/// Longest wait for a lock while a plan is made: long enough for what is locked for a moment, as when a table grows. Much less than
/// `deadlock_timeout` of any session.
const LONGEST_PLANNING_WAIT: Duration = Duration::from_millis(10);

/// So many times a TVIEW is tried again because another one is behind, in longer and longer intervals: some ten seconds.
const LONGEST_AWAITED: u32 = 16;

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything visible when it started is applied.
    UpToDate,
    /// The same, and all rows are being compared: that is to be gone on with.
    Comparing,
    /// It has taken longer than it may here.
    TooLong,
    /// Another session is at this TVIEW, or DDL at what it reads: it is tried again soon.
    Busy,
    /// Paused, dropped, or without its view.
    NotReady,
    /// To be tried again after a while.
    Failed,
    /// The view fails whatever the key: changes wait until it works again.
    Suspended,
    /// Code of another role has run in this process: it is for another one.
    Refused,
}

/// What a refresh did.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub changes: u64,
    pub keys: u64,
    /// What applying changes took: neither making the plan nor the first population, which come once.
    pub duration: Duration,
    pub status: Status,
    /// When the first of its dead keys is to be tried again, in microseconds since 2000.
    pub retry_at: Option<i64>,
    /// Some rows wait for another TVIEW.
    pub awaits: bool,
}

/// Refreshes one TVIEW in a background worker, outside any transaction. Catches every ERROR. `failures`: how many
/// refreshes of it have failed in a row; `team`: the workers that a large backlog can be shared with; `limit`: for each step.
pub fn run(tview: Oid, failures: u32, team: Option<&dyn Team>, limit: Option<Duration>) -> Outcome {
    let mut run = Run::new(Driver::Worker, tview, team, failures);
    run.limit = limit;
    refresh(run).0
}

/// Refreshes one TVIEW in a procedure that may commit; the error, if any, is handed back. `may_await`: rows that wait for another
/// TVIEW are left for later.
pub fn drain(tview: Oid, may_await: bool) -> (Outcome, Option<Caught>) {
    let mut run = Run::new(Driver::Procedure, tview, None, 0);
    run.may_await = may_await;
    refresh(run)
}

fn refresh(mut run: Run) -> (Outcome, Option<Caught>) {
    let (status, error) = match run.go() {
        Ok(status) => (status, None),
        Err(error) => run.failed(error),
    };
    (
        Outcome {
            changes: run.changes,
            keys: run.keys,
            duration: run.duration,
            status,
            retry_at: run.retry_at.get(),
            awaits: run.awaits && status == Status::Busy,
        },
        error,
    )
}

/// What a transaction of the refresh found out.
pub(super) enum Step {
    Done(Status),
    /// Everything was compared, for the first time or after a redefinition.
    Populated,
    /// The plan no longer fits the catalogs.
    Stale,
    /// Keys left after the first batch, and the position they lead to.
    More(Box<Backlog>),
    /// The same with all keys stored for several workers.
    Shared(Box<Shared>),
}

impl Step {
    /// Of a later transaction than the first. Somebody else took over, or the definition changed: the position has not
    /// moved, so nothing is lost.
    pub(super) fn status(self) -> Status {
        match self {
            Step::Done(status) => status,
            Step::Stale | Step::Populated | Step::More(_) | Step::Shared(_) => Status::Busy,
        }
    }
}

pub(super) struct Backlog {
    pub(super) batches: Batches,
    pub(super) entry: Entry,
    pub(super) before: Option<Position>,
}

pub(super) struct Run<'a> {
    pub(super) driver: Driver,
    pub(super) tview: Oid,
    /// Who a large backlog can be shared with.
    pub(super) team: Option<&'a dyn Team>,
    /// How long a step may take before it is given up for now.
    limit: Option<Duration>,
    /// Goes around keys that fail, instead of failing with them.
    pub(super) careful: bool,
    /// Also around those that fail by trouble of the server.
    pub(super) gives_up: bool,
    /// Goes around rows that somebody else holds.
    pub(super) yields: bool,
    /// Goes around rows that violate a foreign key, until the TVIEW whose table is at its other end has caught up.
    pub(super) awaits: bool,
    /// It has not been tried yet whether that helps.
    may_await: bool,
    /// What it reads is locked: what is in its way are rows.
    at_rows: bool,
    /// Some rows were gone around: the position stays where it is.
    pub(super) held: Cell<bool>,
    /// A comparison of all rows is under way; whether it is a population.
    pub(super) comparing: Cell<Option<bool>>,
    /// Code of the owner must not run in this process.
    refused: Cell<bool>,
    pub(super) retry_at: Cell<Option<i64>>,
    changes: u64,
    keys: u64,
    duration: Duration,
    /// Of the names of schemas that the attempt began with.
    schemas: u64,
    started_at: pgrx::datum::TimestampWithTimeZone,
}

impl<'a> Run<'a> {
    pub(super) fn new(driver: Driver, tview: Oid, team: Option<&'a dyn Team>, failures: u32) -> Run<'a> {
        Run {
            driver,
            tview,
            team,
            limit: None,
            careful: false,
            gives_up: failures >= settings::retry_limit(),
            yields: false,
            awaits: false,
            may_await: failures < LONGEST_AWAITED,
            at_rows: false,
            held: Cell::new(false),
            comparing: Cell::new(None),
            refused: Cell::new(false),
            retry_at: Cell::new(None),
            changes: 0,
            keys: 0,
            duration: Duration::ZERO,
            schemas: 0,
            started_at: audit::now(),
        }
    }

    /// Raises if code of the owner must not run in this process.
    pub(super) fn check_permit(&self, plan: &Plan) {
        if let Err(refusal) = plan.permit() {
            self.refused.set(true);
            refusal.raise(plan);
        }
    }

    pub(super) fn as_owner<R>(&self, plan: &Plan, step: impl FnOnce() -> R) -> R {
        self.check_permit(plan);
        self.care().as_owner(plan, step)
    }

    pub(super) fn care(&self) -> Care {
        Care {
            driver: self.driver,
            gives_up: self.gives_up,
            limit: self.limit,
        }
    }

    /// What becomes of a refresh that failed.
    fn failed(&mut self, error: Caught) -> (Status, Option<Caught>) {
        let error = failure::advise(error);
        if self.refused.get() {
            return (Status::Refused, Some(error));
        }
        if error.is_cancel() && self.limit.is_some() {
            return (Status::TooLong, None);
        }
        if failure::is_in_the_way(&error) {
            if error.code != PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE || self.yields || !self.at_rows {
                return (Status::Busy, None);
            }
            // A session that shows itself what it has changed, perhaps, and stays open: it must not keep other rows.
            self.yields = true;
            return match self.go() {
                Ok(status) => (status, None),
                Err(error) => self.failed(error),
            };
        }
        if failure::is_unwanted(self.driver, &error) {
            return (Status::Failed, Some(error));
        }
        let in_parts = failure::needs_less(&error) && !self.careful;
        if failure::is_passing(&error) && !in_parts && !self.gives_up {
            failure::record(self.driver, self.tview, self.started_at, &error);
            return (Status::Failed, Some(error));
        }
        if failure::is_of_the_view(&error) && self.schema_renamed() {
            // It may have looked for the old name.
            return (Status::Busy, None);
        }
        if error.code == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION && std::mem::take(&mut self.may_await)
        {
            // Where none is behind, it may have caught up a moment ago.
            self.awaits = self.neighbours_are_behind();
            return match self.go() {
                Ok(status) => (status, None),
                Err(error) => self.failed(error),
            };
        }
        if !self.careful {
            self.careful = true;
            // Its statements name types and functions, whose renaming it is not told of.
            plan::forget(self.tview);
            return match self.go() {
                Ok(status) => (status, None),
                Err(error) => self.failed(error),
            };
        }
        failure::suspend(self.driver, self.tview, self.started_at, &error);
        (Status::Suspended, Some(error))
    }

    /// Whether a TVIEW has pending changes whose table has a foreign key to this one, or the other way round.
    fn neighbours_are_behind(&self) -> bool {
        let look = || {
            let args = [(pg_sys::OIDOID, Value::of(self.tview))];
            let rows = spi::run(&statement!("foreign_key_neighbours"), Access::Snapshot, &args);
            let neighbours: Vec<Oid> = (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect();
            let target = wait::snapshot();
            neighbours
                .into_iter()
                .any(|tview| wait::is_pending(tview, &target))
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
                None => match self.prepare()? {
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

    /// Makes the plan, in a transaction of its own; registers the TVIEW anew if its view has changed. Which tables and views there
    /// are is found out by locking the ones above them, so they cannot all be tried first. DDL of an application begins with a
    /// table and comes to its views last: a wait here would cross it.
    pub(super) fn prepare(&self) -> Result<Result<Rc<Plan>, Status>, Caught> {
        self.driver.transaction(|| {
            lock_own_tables()?;
            limit_lock_waits(LONGEST_PLANNING_WAIT);
            with_snapshot(|| run_internal(|| self.make_plan())).ok_or(Status::NotReady)
        })
    }

    fn make_plan(&self) -> Option<Rc<Plan>> {
        let definition = definition::load(self.tview).filter(|d| d.state.may_refresh())?;
        // Whatever its state: the trigger that makes it `populating` may be disabled for the restore.
        let restored = self.driver == Driver::Worker;
        if restored && restored::incomplete(&definition, None) {
            return None;
        }
        let plan = plan::prepare(definition).unwrap_or_else(|problem: Problem| problem.raise());
        if restored && restored::incomplete(&plan.definition, Some(&plan.source_oids())) {
            return None;
        }
        match out_of_step(&plan) {
            None => {
                note_view(&plan);
                Some(plan)
            }
            Some((fill, reason)) => {
                reregister(&plan, fill, reason);
                plan::prepare(definition::load(self.tview)?).ok()
            }
        }
    }

    /// Locks before the snapshot: the extension's tables (DROP EXTENSION takes those first, too), the TVIEW, then
    /// what it reads. Waits for none of them: whoever holds one may do so for long, and other TVIEWs need this process.
    pub(super) fn lock(&self, plan: &Plan, tview: ObjectLock) -> Option<Step> {
        if let Err(status) = lock_own_tables() {
            return Some(Step::Done(status));
        }
        let Some(class) = definition::table() else {
            return Some(Step::Done(Status::NotReady));
        };
        if !lock::try_object(class, self.tview, tview) {
            return Some(Step::Done(Status::Busy));
        }
        limit_lock_waits(settings::lock_timeout());
        let reads = plan.tables().into_iter().chain(plan.view_oids());
        for relation in reads {
            match lock::try_table(relation, TableLock::AccessShare) {
                Attempt::Locked => {}
                Attempt::Held => return Some(Step::Done(Status::Busy)),
                Attempt::Gone => return Some(Step::Stale),
            }
        }
        match lock::try_table(self.tview, TableLock::RowExclusive) {
            Attempt::Locked => {}
            Attempt::Held => return Some(Step::Done(Status::Busy)),
            Attempt::Gone => return Some(Step::Done(Status::NotReady)),
        }
        (!plan.is_current()).then_some(Step::Stale)
    }

    /// The first transaction: reads the log, recomputes the first batch of keys or everything.
    fn first(&mut self, plan: &Rc<Plan>) -> Result<Step, Caught> {
        let driver = self.driver;
        let this: &Run = self;
        let result = driver.repeatable_read(
            || this.lock(plan, ObjectLock::Exclusive).map(|step| (step, 0, 0)),
            || spi::session(|| this.under_snapshot(plan)),
        );
        let (step, changes, keys) = result?;
        self.changes += changes;
        self.keys += keys;
        Ok(step)
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
                        let Some(now) = self.unmoved(plan, before) else {
                            return Step::Stale;
                        };
                        self.batch(plan, batch, entry);
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

/// How a TVIEW that is not registered as it is now has to be registered, and why. With internal rights.
fn out_of_step(plan: &Plan) -> Option<(Fill, &'static str)> {
    let definition = &plan.definition;
    let mut unfollowed = triggers::unfollowed(&plan.lineage).into_iter();
    let missing = "triggers that follow its sources were missing";
    if plan.difference == Difference::Rows {
        Some((Fill::Later, "what its rows depend on has changed"))
    } else if unfollowed.any(|source| definition.sources.contains(&source)) {
        Some((Fill::Later, missing))
    } else if !definition
        .sources
        .iter()
        .all(|source| plan.sources.contains_key(source))
    {
        // Its changes are not read any more.
        Some((Fill::Later, "a table that inherits from a source does so no more"))
    } else if plan.difference == Difference::Harmless {
        Some((Fill::Unneeded, "what changed cannot change a row"))
    } else if !triggers::complete(&plan.lineage) {
        Some((Fill::Later, missing))
    } else {
        None
    }
}

/// Whoever has locked one of the extension's tables may be about to lock what a refresh reads (DROP EXTENSION does).
fn lock_own_tables() -> Result<(), Status> {
    for (table, lock) in definition::own_tables().ok_or(Status::NotReady)? {
        match lock::try_table(table, lock) {
            Attempt::Locked => {}
            Attempt::Held => return Err(Status::Busy),
            Attempt::Gone => return Err(Status::NotReady),
        }
    }
    Ok(())
}

/// For locks that cannot be tried first, as those on rows of the tv table: sessions may be queueing behind this transaction,
/// other TVIEWs behind this worker.
fn limit_lock_waits(longest: Duration) {
    let milliseconds = longest.as_millis();
    identity::set_local("lock_timeout", &format!("{milliseconds}ms"));
}
